"""Texts of reasons, by language. The codes never change; texts may."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pipeline.result import Reason

LANGUAGES = ("en", "de")


class ReasonTexts:
    """The texts of one language, from `reasons.LANGUAGE.toml` beside this module: code to a text with {parameters}.

    `CODE_in_zone` is the text of a code that may name a zone, where it does; `CODE_at_limit` of one that may bear a limit.
    """

    def __init__(self, language: str) -> None:
        """Read the texts. Raises FileNotFoundError for a language that is none of LANGUAGES."""
        path = Path(__file__).with_name(f"reasons.{language}.toml")
        self.texts: Mapping[str, str] = tomllib.loads(path.read_text())

    def text(self, reason: Reason) -> str:
        """One line for people; a code without a text is given as it is."""
        template = self.texts.get(f"{reason.code}_in_zone") if reason.name else None
        if reason.limit is not None:
            template = template or self.texts.get(f"{reason.code}_at_limit")
        template = template or self.texts.get(reason.code)
        if template is None:
            return " ".join(filter(None, (reason.code, reason.name, reason.view)))
        return template.format(
            name=reason.name,
            view=reason.view,
            value=_number(reason.value),
            limit=_number(reason.limit),
            unit=f" {reason.unit}" if reason.unit else "",
        )


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:.5g}"
