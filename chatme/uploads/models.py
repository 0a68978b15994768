"""Uploads as they are stored.

A row is there before the first byte of its file and goes after the last, so no file is ever
without a row that leads to it. ``due_at`` is when the sweeper looks at the row next: every step
that could be cut first moves it to a moment at which the step is surely over, and the sweeper
then mends what is half done. It is null only where the sweeper found the upload in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bson import ObjectId
from odmantic import Field, Model
from odmantic.config import ODMConfigDict

from chatme.storage.atomic import index

UNUSED_LIFE = timedelta(days=1)
"""How long an upload stays that nothing uses, and how long a use may be begun and not done."""
LONGEST_STEP = timedelta(hours=1)
"""No upload arrives and no use ends more slowly: what is older was cut."""
MAX_USES = 1000
"""How often one upload may be used at the same time."""

Kind = Literal["image", "file", "avatar"]
UseKind = Literal["message", "user", "group"]


class Upload(Model):
    """A file that somebody sent up.

    ``state`` is "arriving" until its file is in the store, then "ready", and "leaving" once its
    file is being removed: nothing can begin to use it any more. ``uses`` are keys of `Use`.
    """

    owner: ObjectId
    public_id: str
    kind: Kind
    state: Literal["arriving", "ready", "leaving"] = "arriving"
    url: str = ""
    thumbnail_id: str | None = None
    thumbnail_url: str | None = None
    name: str = ""
    size: int = 0
    media_type: str = ""
    format: str = ""
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    uses: list[str] = Field(default_factory=list)
    due_at: datetime | None = None
    created_at: datetime

    model_config = ODMConfigDict(
        collection="uploads",
        indexes=lambda: (
            index("public_id", name="public_id", unique=True),
            index("owner", "created_at", name="recent"),
            index("owner", "_id", name="owner"),
            # "$gt" an empty string leaves out what has not arrived yet.
            index("url", name="url", partial={"url": {"$gt": ""}}),
            index("due_at", name="due"),
        ),
    )


@dataclass(frozen=True, slots=True)
class Use:
    """What shows an upload: a message, a user or a group, by its id."""

    kind: UseKind
    id: ObjectId

    @property
    def key(self) -> str:
        """The use as an upload keeps it."""
        return f"{self.kind}:{self.id}"
