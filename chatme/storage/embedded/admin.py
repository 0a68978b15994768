"""Commands on collections and indexes, as the writer runs them."""

from __future__ import annotations

from dataclasses import dataclass

from chatme.storage.embedded import writes
from chatme.storage.embedded.catalog import Namespace, by_name, is_id_index
from chatme.storage.embedded.errors import INDEX_NOT_FOUND, INVALID_OPTIONS, Refusal
from chatme.storage.embedded.indexes import IndexSpec, find_conflict
from chatme.storage.embedded.store import Store


@dataclass(frozen=True, slots=True)
class CreateIndexes:
    """Make indexes; those that are there already are left alone."""

    namespace: Namespace
    specs: tuple[IndexSpec, ...]

    def run(self, store: Store) -> list[str]:
        """The names, as asked for. All are made, or none."""
        with store.atomic():
            for spec in self.specs:
                collection = store.catalog.ensure(self.namespace)
                existing = [index.spec for index in collection.indexes]
                if not find_conflict(spec, existing):
                    writes.build_index(store, collection, spec)
        return [spec.name for spec in self.specs]


@dataclass(frozen=True, slots=True)
class DropIndex:
    """Drop one index by its name, or with `*` all but that of `_id`."""

    namespace: Namespace
    name: str

    def run(self, store: Store) -> None:
        """Drop it."""
        collection = store.catalog.get(self.namespace)
        if collection is None:
            raise Refusal(26, f"ns not found {'.'.join(self.namespace)}")
        if self.name == "*":
            for each in collection.indexes[1:]:
                collection = store.catalog.drop_index(collection, each)
            return
        index = by_name(collection, self.name)
        if index is None:
            raise Refusal(INDEX_NOT_FOUND, f"index not found with name [{self.name}]")
        if is_id_index(index):
            raise Refusal(INVALID_OPTIONS, "cannot drop _id index")
        store.catalog.drop_index(collection, index)


@dataclass(frozen=True, slots=True)
class DropCollection:
    """Drop a collection; one that is not there is no error."""

    namespace: Namespace

    def run(self, store: Store) -> None:
        """Drop it."""
        collection = store.catalog.get(self.namespace)
        if collection is not None:
            store.catalog.drop(collection)


@dataclass(frozen=True, slots=True)
class DropDatabase:
    """Drop all collections of a database."""

    name: str

    def run(self, store: Store) -> None:
        """Drop them."""
        for collection in store.catalog.names(self.name):
            DropCollection((self.name, collection)).run(store)
