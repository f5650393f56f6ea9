"""The package set of a version that arrives by S3 must be in the store already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.package_set import Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from model_sync.stage.uploads import upload_contents
from model_sync.store_io.create_store import open_store
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.digests import Digest

    Call = Callable[[dict[str, Any]], Any]


def request(source: str) -> dict[str, Any]:
    return {"verb": "publish", "request_id": "r-1", "model": "adder", "source": source}


def write_with_packages(folder: Path) -> Path:
    write_model(folder)
    write_requirements(folder / "pins.txt", write_wheel(folder.parent / "wheels", "alpha"))
    recipe = folder / "model.toml"
    recipe.write_text(f'{recipe.read_text()}[packages]\nrequirements = "pins.txt"\n')
    return folder


def publish_alpha(tmp_path: Path, store: Path) -> Digest:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    return publish_wheels((wheel,), open_store(store), Target.running(), Silent())[0].digest


def upload(bucket: Bucket, tmp_path: Path, packages: Digest) -> str:
    source, staged = FolderSource(write_with_packages(tmp_path / "adder")), tmp_path / "staged"
    staged.mkdir()
    recipe = read_recipe(source, name="adder")
    content = stage_contents(recipe, source, staged, Silent(), packages)
    return upload_contents(bucket.s3, bucket.name, content, staged, Silent())


def test_a_prefix_that_names_packages_is_refused_with_what_to_do(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    url = bucket.put_folder(write_with_packages(tmp_path / "adder"), "adder")
    failed = call(request(url))
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "recipe"
    message = failed["error"]["message"]
    assert message.startswith(f"{url.rstrip('/')}/model.toml names packages, which come from")
    assert message.endswith("publish the model with make sync-model")
    assert call({"verb": "list"})["models"] == []


def test_uploads_whose_set_is_not_there_are_refused(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    packages = publish_alpha(tmp_path, tmp_path / "elsewhere")
    key = upload(bucket, tmp_path, packages)
    failed = call(request(key))
    assert failed == {
        "state": "failed",
        "error": {
            "code": "packages",
            "message": f"s3://{bucket.name}/{key} cannot be published: "
            f"the store holds no package set {packages} (publish that first)",
        },
    }
    assert call({"verb": "list"})["models"] == []


def test_uploads_whose_set_is_there_are_published(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    packages = publish_alpha(tmp_path, tmp_path / "store")
    done = call(request(upload(bucket, tmp_path, packages)))
    assert (done["state"], done.get("version")) == ("done", 1)
