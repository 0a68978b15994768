"""Accounts that are being erased."""

from __future__ import annotations

from datetime import datetime

from odmantic import Model
from odmantic.config import ODMConfigDict


class Erasure(Model):
    """The erasure of the user of the same id; it is gone when nothing is left to erase."""

    begun_at: datetime

    model_config = ODMConfigDict(collection="erasures")
