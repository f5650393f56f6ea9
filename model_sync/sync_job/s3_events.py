"""A queue's messages with S3's events: which prefixes have their `model.toml` now.

Queues deliver at least once, and late: a message is acted upon only while the very object that it
names lies there and, where the bucket keeps versions, only if no generation of the model's refs
came of it before. Else a message that comes again would move `latest` back from what was
published, or rolled back to, since.
"""

from __future__ import annotations

import json
import urllib.parse
from typing import TYPE_CHECKING, NamedTuple

from model_store.reading import read_upward
from model_sync.errors import RequestError
from model_sync.refs.history import generations
from model_sync.sources.recipe import RECIPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout


class Arrival(NamedTuple):
    """A `model.toml` that was uploaded: where, and which state of the object."""

    bucket: str
    prefix: str
    state: str
    """Its version's id, where the bucket keeps versions, else its tag; empty if not said."""
    is_version: bool
    """Whether it is a version's id: a tag is the same for the same bytes uploaded again."""

    @property
    def url(self) -> str:
        """The prefix's address."""
        return f"s3://{self.bucket}/{self.prefix}/"

    @property
    def reason(self) -> str:
        """What a model's history says of a publication by this message, and of no other."""
        return f"{RECIPE} arrived at {self.url} ({self.state})"


def arrivals_in(body: str) -> Iterator[Arrival]:
    """The arrivals in a message's body; S3's test event has none. Raises RequestError."""
    for item in json.loads(body).get("Records", ()):
        found = item["s3"]["object"]
        key = urllib.parse.unquote_plus(found["key"])
        prefix, _, file = key.rpartition("/")
        if file != RECIPE or not prefix:
            continue
        if "" in prefix.split("/"):
            raise RequestError(f"the key {key!r} has an empty part, which no model's files have")
        version = found.get("versionId")
        state = version or (found.get("eTag") or "").strip('"')
        yield Arrival(item["s3"]["bucket"]["name"], prefix, state, is_version=bool(version))


def was_published(layout: StoreLayout, model: str, arrival: Arrival) -> bool:
    """Tell whether a generation of the model's refs came of this message before."""
    place = layout.model(model)
    newest = read_upward(place)
    if newest is None or not arrival.is_version:
        return False
    return any(refs.change.reason == arrival.reason for refs in generations(place, newest))
