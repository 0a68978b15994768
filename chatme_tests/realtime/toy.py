"""A small contract of its own: one command, one event, shapes with every trick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from chatme.errors import Code
from chatme.realtime.close import ComeBack
from chatme.realtime.contract import Contract, Limit, Step, Words
from chatme.realtime.dispatcher import Client, Command
from chatme.realtime.samples import Samples
from chatme.shapes import Id, Omittable, Shape, Text, Timestamp


class Bottle(Shape):
    """A bottle, ``corked``
    or not."""

    bottle_id: Id
    label: Annotated[Text, Field(min_length=1, max_length=5)] = "plain"
    note: Omittable[Text] = None


class Brief(Shape):
    """What is known without looking."""

    at: Timestamp


class Whole(Brief):
    """All of it."""

    text: str


class Found(Shape):
    """A find."""

    finder_id: Id
    inside: SerializeAsAny[Brief] | None
    count: int = 1


@dataclass(frozen=True, slots=True)
class BottleFound:
    """Somebody found a bottle.

    This is not for the document.
    """

    name: ClassVar[str] = "bottle_found"
    data: Found


async def throw_bottle(_service: object, _client: Client, data: Bottle) -> Found:
    """Throws a bottle."""
    return Found(finder_id=data.bottle_id, inside=None)


CONTRACT = Contract(
    version="1.2.3",
    commands=(Command("throw_bottle", throw_bottle),),
    events=(BottleFound,),
    limits=(Limit("Bottles", "3", "Then the sea is full."),),
    stand_ins={Brief: Whole},
    words=Words(
        title="The sea",
        summary="Salt water.",
        description="Wide and deep.",
        security={"message": {"type": "apiKey", "in": "user", "description": "In the bottle."}},
        come_back={each: f"{each.name}!" for each in ComeBack},
        codes={Code.NOT_FOUND: "Lost at sea."},
        effects={"throw_bottle": "Then `bottle_found`."},
        life=(Step("Throw", "Far out.", ("> splash",)),),
    ),
    samples=Samples({"bottleId": "65f0c0ffee65f0c0ffee65f0"}),
)
