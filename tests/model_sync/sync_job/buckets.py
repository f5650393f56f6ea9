"""A bucket, a model's folder to put into it, and the messages that a queue would bring of it."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from botocore.exceptions import ClientError

from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from model_sync.stage.uploads import upload_contents
from tests.support.events import message, object_created
from tests.support.models import write_external_adder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.version import VersionContent


@dataclass(frozen=True)
class Bucket:
    """One bucket, and the client that made it."""

    s3: Any
    name: str

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def keys(self, prefix: str = "") -> list[str]:
        """At most 1,000 keys, sorted."""
        found = self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix).get("Contents", [])
        return [each["Key"] for each in found]

    def put_folder(self, folder: Path, prefix: str) -> str:
        """Put all files of a folder below a prefix, in several parts if large; its address."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder).as_posix()}"
                self.s3.upload_file(str(path), self.name, key)
        return f"s3://{self.name}/{prefix}/"

    def puts(self) -> contextlib.AbstractContextManager[list[str]]:
        """Record the keys that are put through the client in the context."""
        return self._keys_of("PutObject")

    def reads(self) -> contextlib.AbstractContextManager[list[str]]:
        """Record the keys that are read through the client in the context."""
        return self._keys_of("GetObject")

    @contextlib.contextmanager
    def _keys_of(self, operation: str) -> Iterator[list[str]]:
        keys: list[str] = []

        def note(params: dict[str, Any], **_: Any) -> None:
            keys.append(params["Key"])

        events, event = self.s3.meta.events, f"provide-client-params.s3.{operation}"
        events.register(event, note)
        try:
            yield keys
        finally:
            events.unregister(event, note)

    def upload(self, folder: Path) -> tuple[str, VersionContent]:
        """Upload a model's folder by digest, as the command line does; its key and contents."""
        source = FolderSource(folder)
        with tempfile.TemporaryDirectory() as temporary:
            staged = Path(temporary)
            content = stage_contents(read_recipe(source, name="adder"), source, staged, Silent())
            return upload_contents(self.s3, self.name, content, staged, Silent()), content


def write_model(folder: Path, *, constant: float = 1.0, width: int = 2) -> Path:
    """An adder with a recipe, external data of 4 * width bytes, and a golden case if it is small.

    The constants rise, so that data whose parts changed places would not pass.
    """
    write_external_adder(folder, np.arange(width) + constant, "constants.bin")
    recipe = '[model]\nfile = "model.onnx"\n'
    if width <= 16:
        tensor = {"shape": [1, width], "datatype": "FP32"}
        case = folder / "golden" / "zeros"
        case.mkdir(parents=True, exist_ok=True)
        zeros = {"name": "x", **tensor, "data": [0.0] * width}
        (case / "request.json").write_text(json.dumps({"inputs": [zeros]}))
        answer = {"name": "y", **tensor, "data": [constant + n for n in range(width)]}
        (case / "expected.json").write_text(json.dumps({"outputs": [answer]}))
        recipe += '[golden]\nfolder = "golden"\n'
    (folder / "model.toml").write_text(recipe)
    return folder


def arrived(bucket: Bucket, key: str, *, number: int = 1) -> dict[str, Any]:
    """The event file's message, about an object of a bucket."""
    tag, version_id = "0" * 32, None
    with contextlib.suppress(ClientError):  # it may not be there
        head = bucket.s3.head_object(Bucket=bucket.name, Key=key)
        tag, version_id = head["ETag"], head.get("VersionId", "null")
    record = object_created(
        bucket.name, key, tag=tag, version_id=None if version_id == "null" else version_id
    )
    return message(record, number=number)
