"""HTML without a template engine: every text is escaped unless it is `Html` already. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html import escape

_VOID = frozenset({"link", "meta", "wbr"})
_CODE = re.compile(r"`([^`]+)`")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: str | Iterable[str], **attributes: str) -> Html:
    """An element; ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``."""
    named = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    if tag in _VOID:
        return Html(f"<{tag}{named}>")
    return Html(f"<{tag}{named}>{join(*children)}</{tag}>")


def join(*parts: str | Iterable[str]) -> Html:
    """Several pieces, one after the other."""
    return Html("".join(_safe(part) if isinstance(part, str) else join(*part) for part in parts))


def prose(text: str, code: Callable[[str], str] | None = None) -> Html:
    """A sentence in which `` `words` `` are code, drawn by ``code``."""
    draw = code or (lambda word: element("code", word))
    parts = _CODE.split(text)
    return join(*(draw(part) if at % 2 else part for at, part in enumerate(parts)))


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    """A table, in a box that scrolls sideways where the screen is narrow."""
    head = element("tr", [element("th", title, scope="col") for title in titles])
    body = [element("tr", [element("td", cell) for cell in row]) for row in rows]
    whole = element("table", element("thead", head), element("tbody", body))
    return element("div", whole, class_="table")


def _safe(text: str) -> str:
    return text if isinstance(text, Html) else escape(text)
