"""A log of something that may fail for days: said at once when it is news, and seldom as long as it stays the same."""

from collections.abc import Callable

AGAIN_NS = 600_000_000_000


class RepeatedLog:
    """Holds one text and how often it was not said, so that it stays small however long it lasts."""

    def __init__(self, say: Callable[[str], None], now_ns: Callable[[], int]) -> None:
        """`say` writes a line."""
        self._say, self._now_ns = say, now_ns
        self._text = ""
        self._said_ns = 0
        self._unsaid = 0

    def tell(self, text: str) -> None:
        """Say `text`; where it was said before, with nothing else between, again after ten minutes with the count."""
        now = self._now_ns()
        if text == self._text and now - self._said_ns < AGAIN_NS:
            self._unsaid += 1
            return
        again = f" (and {self._unsaid} times before, since it was last said)" if text == self._text else ""
        self._text, self._said_ns, self._unsaid = text, now, 0
        self._say(f"{text}{again}")

    def over(self) -> None:
        """It is well again: the next time is news."""
        self._text, self._unsaid = "", 0
