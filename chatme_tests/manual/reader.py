"""Reads pages as a browser would."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Reads a page: its anchors, links, tags, and whether every element is closed."""

    VOID = frozenset({"meta", "link", "wbr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        self.attributes |= set(found)
        self.ids += [value for value in [found.get("id")] if value]
        self.links += [value for value in [found.get("href")] if value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def expect_sound(page: str, outside: set[str]) -> None:
    """Every element is closed, no anchor is there twice, and each link is to one of them or to
    what we serve beside the page. Nothing on it runs, frames, submits or styles by itself."""
    read = Reader(page)
    inside = {link[1:] for link in read.links if link.startswith("#")}

    assert read.open == []
    assert inside <= set(read.ids)
    assert len(read.ids) == len(set(read.ids))
    assert {link for link in read.links if not link.startswith("#")} == outside
    assert not {"script", "style", "img", "iframe", "form", "object"} & set(read.tags)
    assert not {name for name in read.attributes if name.startswith("on") or name == "style"}
    assert (read.tags["main"], read.tags["h1"], read.tags["nav"]) == (1, 1, 1)
