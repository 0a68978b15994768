"""Reads documents out of SQLite, a page at a time.

A page comes packed: SQLite joins the documents' BSON into one blob, in order, and the C decoder
takes it apart. So a page costs one step of SQLite and one decoding whatever its size, where a row
at a time would hand over the interpreter's lock for each. (`group_concat` copies the bytes as they
are, NUL included; the cast makes them a blob again. A test feeds it every byte.)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

from chatme.storage.embedded.bounds import Range

# Ranges in one statement; their number is padded to a power of two, so that few statements exist.
RANGES_LIMIT = 128

_PACKED = "CAST(group_concat(doc, '') AS BLOB), {rids}, {last}, count(*)"


class Page(NamedTuple):
    """Documents joined, their row numbers (where asked for), and where the page ended."""

    packed: bytes
    rids: list[int]
    last: bytes | int | None
    size: int


def read_range(
    connection: sqlite3.Connection,
    tables: tuple[int, int],
    span: Range,
    *,
    reverse: bool,
    window: tuple[int, int],
    rids: bool,
) -> Page:
    """Documents of one key range in key order. `tables`: collection and index; `window`: limit
    and offset."""
    collection, index = tables
    way, far = ("DESC", "min(k)") if reverse else ("ASC", "max(k)")
    statement = (
        f"SELECT {_columns(far, rids)} FROM (SELECT d.doc, i.rid, i.k FROM i{index} i"  # noqa: S608
        f" CROSS JOIN d{collection} d ON d.rid = i.rid"
        f" WHERE i.k >= ? AND i.k < ? ORDER BY i.k {way} LIMIT ? OFFSET ?)"
    )
    return _page(connection.execute(statement, (*span, *window)).fetchone())


def read_ranges(
    connection: sqlite3.Connection,
    tables: tuple[int, int],
    spans: Sequence[Range],
    *,
    limit: int,
    rids: bool,
) -> Page:
    """Documents of up to `RANGES_LIMIT` ranges, which ascend and do not overlap, in key order."""
    collection, index = tables
    size = 1 << (len(spans) - 1).bit_length()
    padded = [*spans, *[(b"", b"")] * (size - len(spans))]
    statement = (
        f"WITH r(low, high) AS (VALUES {','.join(['(?,?)'] * size)})"  # noqa: S608
        f" SELECT {_columns('max(k)', rids)} FROM (SELECT d.doc, i.rid, i.k FROM r"
        f" CROSS JOIN i{index} i ON i.k >= r.low AND i.k < r.high"
        f" CROSS JOIN d{collection} d ON d.rid = i.rid LIMIT ?)"
    )
    flat = [bound for span in padded for bound in span]
    return _page(connection.execute(statement, (*flat, limit)).fetchone())


def read_all(
    connection: sqlite3.Connection,
    collection: int,
    *,
    after: int,
    window: tuple[int, int],
    rids: bool,
) -> Page:
    """Documents of a collection in the order of their row numbers, from after a number on."""
    statement = (
        f"SELECT {_columns('max(rid)', rids)} FROM"  # noqa: S608
        f" (SELECT doc, rid FROM d{collection} WHERE rid > ? ORDER BY rid LIMIT ? OFFSET ?)"
    )
    return _page(connection.execute(statement, (after, *window)).fetchone())


def read_row(connection: sqlite3.Connection, collection: int, rid: int) -> bytes | None:
    """One document by its row number."""
    row = connection.execute(f"SELECT doc FROM d{collection} WHERE rid = ?", (rid,)).fetchone()  # noqa: S608
    return None if row is None else row[0]


def count_range(
    connection: sqlite3.Connection, index: int, span: Range, *, distinct: bool, limit: int = -1
) -> int:
    """How many documents have a key in the range, so many at most where there is a limit."""
    what = "DISTINCT rid" if distinct else "1"
    found = f"SELECT {what} FROM i{index} WHERE k >= ? AND k < ? LIMIT ?"  # noqa: S608
    statement = f"SELECT count(*) FROM ({found})"  # noqa: S608
    return int(connection.execute(statement, (*span, limit)).fetchone()[0])


def unpack(packed: bytes) -> list[bytes]:
    """The single documents' bytes: each begins with its length."""
    found = []
    place = 0
    while place < len(packed):
        size = int.from_bytes(packed[place : place + 4], "little")
        found.append(packed[place : place + size])
        place += size
    return found


def _columns(last: str, rids: bool) -> str:
    return _PACKED.format(rids="group_concat(rid)" if rids else "NULL", last=last)


def _page(row: tuple[bytes | None, str | None, bytes | int | None, int]) -> Page:
    packed, rids, last, size = row
    # One number comes back as an integer's text, too: group_concat always makes text.
    return Page(packed or b"", [int(rid) for rid in rids.split(",")] if rids else [], last, size)
