"""pydantic's faults in words that follow the name of a field: ``is required``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from chatme.errors import FieldFault, Invalid

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "bool_type": "must be true or false",
    "float_type": "must be a number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "value_error": "{error}",
}

MAX_FAULTS = 50
MAX_NAME = 128


def describe(fault: ErrorDetails) -> str:
    """What is wrong, to be read after the field's name."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in ("too_short", "too_long") and context.get("field_type") != "List":
        kind = f"string_{kind}"  # pydantic's name where another validator stands before the bound
    words = _WORDS.get(kind)
    return fault["msg"] if words is None else words.format_map(context)


def invalid(error: ValidationError, *, prefix: Iterable[str] = ()) -> Invalid:
    """A pydantic error as the one that callers are shown; never repeats the values they sent.

    Names may be the caller's own, as keys of an object: they are cut, and so is the list.
    """
    faults = [
        FieldFault(
            ".".join([*prefix, *map(str, fault["loc"])])[:MAX_NAME] or "body", describe(fault)
        )
        for fault in error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
    ]
    return Invalid(faults=faults)
