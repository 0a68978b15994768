"""An encoding of BSON values whose byte order is MongoDB's order of the values.

`encode(a) < encode(b)` exactly when MongoDB sorts `a` before `b`, and the bytes are equal exactly
when MongoDB calls the values equal (1 and 1.0 are). No encoding is the beginning of another, so
several may be joined into one key and any of them inverted for a descending field. Pure.

The index tables, sorting and every comparison that is not between plain values of one type go
through this one function: there is one idea of order in the engine.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from bson import Binary, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp

from chatme.storage.embedded.errors import UnsupportedError

Encoder = Callable[[Any], bytes]

# MongoDB's canonical order of types. The tags are apart, so that tag - 1 and tag + 1 are bounds
# of a type that no key can equal, and stay within 0x04..0x40, so that neither a tag nor its
# inverse is ever 0x00 or 0xFF.
MIN_KEY: Final = 0x04
UNDEFINED: Final = 0x08  # what an index holds for an empty array
NULL: Final = 0x0C
NUMBER: Final = 0x10
STRING: Final = 0x14
OBJECT: Final = 0x18
ARRAY: Final = 0x1C
BINARY: Final = 0x20
OBJECT_ID: Final = 0x24
BOOL: Final = 0x28
DATE: Final = 0x2C
TIMESTAMP: Final = 0x30
REGEX: Final = 0x34
MAX_KEY: Final = 0x38

NULL_KEY: Final = bytes([NULL])
UNDEFINED_KEY: Final = bytes([UNDEFINED])
AFTER: Final = b"\xff"  # appended to a prefix: above every key that begins with it

_END = b"\x00"
_DOUBLE = struct.Struct(">d")
_BITS = struct.Struct(">Q")
_NUMBER = struct.Struct(">BQH")
_DATE = struct.Struct(">BQ")
_TIMESTAMP = struct.Struct(">BII")
_BINARY = struct.Struct(">BIB")
_SIGN = 1 << 63
_ALL = (1 << 64) - 1
_EXACT = 1 << 53
_MIDDLE = 1 << 15
_INVERT = bytes(255 - byte for byte in range(256))
_EPOCH = datetime.datetime(1970, 1, 1)
_MILLISECOND = datetime.timedelta(milliseconds=1)

NAN_KEY: Final = _NUMBER.pack(NUMBER, 0, _MIDDLE)  # MongoDB sorts it below every number


def encode(value: Any) -> bytes:
    """The key of one value as `bson.decode` gives it.

    Raises:
        UnsupportedError: a BSON type without an order here (Decimal128, Code, DBRef …).
    """
    encoder = _ENCODERS.get(type(value))
    if encoder is None:
        raise UnsupportedError(f"comparing or indexing a {type(value).__name__}")
    return encoder(value)


def invert(key: bytes) -> bytes:
    """The same key for a descending field: every order is turned round."""
    return key.translate(_INVERT)


def equal(left: Any, right: Any) -> bool:
    """Whether MongoDB calls the two values equal."""
    return encode(left) == encode(right)


def text_prefix(text: str) -> bytes:
    """What the keys of all strings that begin with `text` begin with."""
    return bytes([STRING]) + _escape(text.encode())


def _escape(raw: bytes) -> bytes:
    return raw.replace(b"\x00", b"\x00\xff") if b"\x00" in raw else raw


def _double(value: float, rest: int = 0) -> bytes:
    bits: int = _BITS.unpack(_DOUBLE.pack(value))[0]
    ordered = bits ^ _ALL if bits & _SIGN else bits | _SIGN
    return _NUMBER.pack(NUMBER, ordered, _MIDDLE + rest)


def _float(value: float) -> bytes:
    # Adding 0.0 makes -0.0 plain, which equals 0.
    return NAN_KEY if value != value else _double(value + 0.0)  # noqa: PLR0124


def _int(value: int) -> bytes:
    near = float(value)
    if -_EXACT <= value <= _EXACT:
        return _double(near)
    # Rounding keeps the order, and what it took off (at most 512) breaks the tie.
    return _double(near, int(value) - int(near))


def _string(value: str) -> bytes:
    raw = value.encode()
    if b"\x00" in raw:
        raw = raw.replace(b"\x00", b"\x00\xff")
    return b"\x14" + raw + b"\x00\x00"


def _object(value: Mapping[str, Any]) -> bytes:
    parts = [bytes([OBJECT])]
    for name, item in value.items():
        key = encode(item)
        # MongoDB compares the types first, then the names, then the values.
        parts += (key[:1], _escape(name.encode()), b"\x00\x00", key)
    parts.append(_END)
    return b"".join(parts)


def _array(value: list[Any]) -> bytes:
    return b"".join([bytes([ARRAY]), *map(encode, value), _END])


def _binary(value: bytes) -> bytes:
    subtype = value.subtype if isinstance(value, Binary) else 0
    return _BINARY.pack(BINARY, len(value), subtype) + value


def _object_id(value: ObjectId) -> bytes:
    return b"\x24" + value.binary


def _bool(value: bool) -> bytes:
    return b"\x28\x02" if value else b"\x28\x01"


def _date(value: datetime.datetime) -> bytes:
    return _DATE.pack(DATE, (value - _EPOCH) // _MILLISECOND + _SIGN)


def _timestamp(value: Timestamp) -> bytes:
    return _TIMESTAMP.pack(TIMESTAMP, value.time, value.inc)


def _regex(value: Regex[str]) -> bytes:
    pattern = value.pattern.encode() if isinstance(value.pattern, str) else value.pattern
    return bytes([REGEX]) + pattern + b"\x00\x00" + value.flags.to_bytes(4, "big")


_ENCODERS: Final[Mapping[type, Encoder]] = MappingProxyType(
    {
        MinKey: lambda _: bytes([MIN_KEY]),
        type(None): lambda _: NULL_KEY,
        int: _int,
        Int64: _int,
        float: _float,
        str: _string,
        dict: _object,
        list: _array,
        bytes: _binary,
        Binary: _binary,
        ObjectId: _object_id,
        bool: _bool,
        datetime.datetime: _date,
        Timestamp: _timestamp,
        Regex: _regex,
        MaxKey: lambda _: bytes([MAX_KEY]),
    }
)
