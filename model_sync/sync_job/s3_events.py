"""S3's events in a queue's messages: the arrivals of `model.toml` files.

Queues deliver at least once, and late. A message is acted on only while the bucket still holds the
object's state that the message names and, in a bucket that keeps versions, only if the message has
made no generation of the model's refs before. Otherwise a message that is delivered again would
undo later publications and rollbacks by moving `latest` back.
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
    """An uploaded `model.toml`: its prefix, and the object's state."""

    bucket: str
    prefix: str
    state: str
    """Version id of the object, if the bucket keeps versions, else its ETag; empty if unknown."""
    is_version: bool
    """True if `state` is a version id. An ETag is the same when equal bytes arrive again."""

    @property
    def url(self) -> str:
        """Address of the prefix."""
        return f"s3://{self.bucket}/{self.prefix}/"

    @property
    def reason(self) -> str:
        """Reason for the publication in the model's history, unique to this state of the object."""
        return f"{RECIPE} arrived at {self.url} ({self.state})"


def arrivals_in(body: str) -> Iterator[Arrival]:
    """Yield the arrivals in a message's body; S3's test event has none. Raises RequestError."""
    for item in json.loads(body).get("Records", ()):
        s3_object = item["s3"]["object"]
        key = urllib.parse.unquote_plus(s3_object["key"])
        prefix, _, file = key.rpartition("/")
        if file != RECIPE or not prefix:
            continue
        if "" in prefix.split("/"):
            raise RequestError(f"the key {key!r} has an empty part, which no model's files have")
        version = s3_object.get("versionId")
        state = version or (s3_object.get("eTag") or "").strip('"')
        yield Arrival(item["s3"]["bucket"]["name"], prefix, state, is_version=bool(version))


def was_published(layout: StoreLayout, model: str, arrival: Arrival) -> bool:
    """Return True if an arrival has made a generation of the model's refs before."""
    model_layout = layout.model(model)
    newest = read_upward(model_layout)
    if newest is None or not arrival.is_version:
        return False
    return any(refs.change.reason == arrival.reason for refs in generations(model_layout, newest))
