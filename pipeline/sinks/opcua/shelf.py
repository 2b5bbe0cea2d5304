"""The newest results, to be asked for by clients that missed an event."""

from collections.abc import Callable

from pipeline.sinks.opcua.signals import Shown


class ResultShelf:
    """At most `depth` results, in order of (session, seq); each stands there once.

    Attributes:
        since: (session, seq) after which none is missing; None until it is known what was before.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._shown: dict[tuple[int, int], Shown] = {}
        self._ids: dict[str, tuple[int, int]] = {}
        self.since: tuple[int, int] | None = None
        self._missed = (0, 0)

    def __len__(self) -> int:
        return len(self._shown)

    def put(self, shown: Shown) -> None:
        """A result as it was shown; in the place of one that was only remembered."""
        self._keep([shown])

    def remember(self, past: list[Shown], since: tuple[int, int]) -> None:
        """Results of before, none of which is missing after `since`. What has been put already stays as it is."""
        self.since = max(since, self._missed)
        self._keep([each for each in past if each.place not in self._shown])

    def miss(self, place: tuple[int, int]) -> None:
        """The result of this place is not here."""
        self._missed = max(self._missed, place)
        self.since = None if self.since is None else max(self.since, self._missed)

    def _keep(self, more: list[Shown]) -> None:
        for shown in more:
            disorder = bool(self._shown) and shown.place < next(reversed(self._shown))
            self._shown[shown.place] = shown
            self._ids[shown.result.result_id] = shown.place
            if disorder:
                self._shown = dict(sorted(self._shown.items()))
        while len(self._shown) > self._depth:
            oldest = self._shown.pop(next(iter(self._shown)))
            self._ids.pop(oldest.result.result_id, None)
            self.miss(oldest.place)

    def by_id(self, result_id: str) -> Shown | None:
        """The result of this id, None where it is not (any more) among the newest."""
        place = self._ids.get(result_id)
        return None if place is None else self._shown[place]

    def after(self, place: tuple[int, int], wanted: Callable[[Shown], bool], most: int) -> tuple[list[Shown], bool]:
        """At most `most` results after (session, seq) that are wanted, oldest first, and whether these are all."""
        found: list[Shown] = []
        for shown in self._shown.values():
            if shown.place > place and wanted(shown):
                if len(found) == most:
                    return found, False
                found.append(shown)
        return found, True
