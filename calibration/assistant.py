"""Taking the views of a board: says what it sees, keeps what is new and held still, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calibration.board import Board
from calibration.board_view import BoardView, find_board
from calibration.captures import Grey, save_png
from calibration.coverage import coverage, is_new, moved_px

_STILL_PX = 0.5
MOST_VIEWS = 60


@dataclass(slots=True)
class Assistant:
    """Looks at pictures one after the other.

    Attributes:
        folder: where kept pictures go; None keeps none.
        say: takes a line for whoever holds the board.
    """

    board: Board
    model: str
    folder: Path | None
    say: Callable[[str], None]
    kept: list[BoardView] = field(default_factory=list)
    _before: BoardView | None = None
    _said: str = ""

    def watch(self, pictures: Iterable[Grey], most: int = MOST_VIEWS) -> None:
        """Until the views are enough, or the pictures end."""
        for picture in pictures:
            self.look(picture)
            if len(self.kept) >= most or (self.kept and not self.missing()):
                return

    def missing(self) -> list[str]:
        """As Coverage.missing; without any view the board itself."""
        return coverage(self.kept, self.model).missing() if self.kept else ["the board"]

    def still(self, picture: Grey, name: str) -> BoardView | None:
        """The board in a picture where it lies as in the one before."""
        view = find_board(self.board, name, picture)
        before, self._before = self._before, view
        if view is None:
            self._tell("no board seen")
        elif before is None or moved_px(view, before) > _STILL_PX:
            self._tell("a board: hold it still")
        else:
            return view
        return None

    def look(self, picture: Grey) -> BoardView | None:
        """One picture; the view where it was kept."""
        name = f"view-{len(self.kept) + 1:03}.png"
        view = self.still(picture, name)
        if view is None:
            return None
        if not is_new(view, self.kept):
            self._tell(f"known already; next: {self.missing()[0] if self.missing() else 'enough'}")
        else:
            self.kept.append(view)
            if self.folder is not None:
                save_png(self.folder / name, picture)
            self._tell_kept(view)
            return view
        return None

    def _tell_kept(self, view: BoardView) -> None:
        seen, wanted = coverage(self.kept, self.model), self.missing()
        then = f"next: {wanted[0]}" if wanted else "enough"
        blur = float(np.median(view.sigma_px))
        self._tell(
            f"view {len(self.kept)}: {len(view.points_mm)} points to {blur:.3f} px; {seen.share:.0%} of the picture seen; {then}"
        )

    def _tell(self, text: str) -> None:
        if text != self._said:
            self.say(text)
        self._said = text
