"""Pages for people that need nothing beside them: no script, no outside resource, light and dark."""

from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 1.5rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
table { border-collapse: collapse; } td, th { text-align: left; vertical-align: top; padding: .2rem .9rem .2rem 0; }
th { font-weight: 600; white-space: nowrap; } td { overflow-wrap: anywhere; }
.numbers { overflow-x: auto; }
.numbers td { overflow-wrap: break-word; min-width: 4.5rem; }
.numbers td, .numbers th { border-bottom: 1px solid #8886; font-variant-numeric: tabular-nums; }
pre { overflow-x: auto; padding: .6rem; border: 1px solid #8886; }
figure { margin: 0 0 1rem; } img { max-width: 100%; height: auto; display: block; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1rem; }
.verdict { font-weight: 700; }
"""


def page(title: str, body: Sequence[str]) -> str:
    """HTML, whole. `body` is HTML."""
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n"
        + "\n".join(body)
        + "\n</main></body></html>\n"
    )


def facts(rows: Sequence[tuple[str, str]]) -> str:
    """A table of what it is about and what is said of it."""
    lines = [f"<tr><th scope='row'>{escape(about)}</th><td>{escape(words)}</td></tr>" for about, words in rows]
    return "<table>" + "".join(lines) + "</table>"


def numbers(rows: Sequence[Sequence[str]]) -> str:
    """A table with its heading first; empty where there is none."""
    if not rows:
        return ""
    head = "".join(f"<th scope='col'>{escape(cell)}</th>" if cell else "<td></td>" for cell in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='numbers' tabindex='0'>{table}</div>"  # a wide one is scrolled by the keyboard, too


def lines(texts: Sequence[str]) -> str:
    """Lines as they are; empty where there is none."""
    return f"<pre tabindex='0'>{escape(chr(10).join(texts))}</pre>" if texts else ""


def paragraphs(texts: Sequence[str]) -> list[str]:
    """Sentences for people, a paragraph each."""
    return [f"<p>{escape(text)}</p>" for text in texts]


def figure(source: str, what: str) -> str:
    """A picture with what it shows; `source` is its address."""
    return f"<figure><img alt='{escape(what)}' src='{source}'><figcaption>{escape(what)}</figcaption></figure>"


def section(title: str, content: str) -> list[str]:
    """A heading with what belongs to it; nothing where that is empty."""
    return [f"<h2>{escape(title)}</h2>", content] if content else []
