"""A model's packages go to a stage before the model does; sets also go by themselves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_store.reading import read_package_set, read_upward, read_version
from model_sync.errors import PackagesError, RefusedError
from model_sync.package_sets.publish import list_packages
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.stage.client import StageStore
from model_sync.store_client import PackageSetOptions, PublishOptions
from tests.model_sync.sync_job.lambda_client import LambdaClient, stage_of
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from tests.model_sync.sync_job.buckets import Bucket


@pytest.fixture
def calls(bucket: Bucket, tmp_path: Path) -> LambdaClient:
    """The stage's functions, over `bucket` and `tmp_path / "store"`."""
    return LambdaClient(bucket, tmp_path / "store")


@pytest.fixture
def remote(here: None, calls: LambdaClient, bucket: Bucket) -> StageStore:
    """The stage, to be published to."""
    return StageStore(stage_of(calls, bucket.name), Silent())


def test_the_set_is_published_first_and_the_version_pins_it(
    remote: StageStore, calls: LambdaClient, wheels: Path, tmp_path: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "greetings")
    local = publish(folder, tmp_path / "local", progress=Silent())
    done = remote.publish_folder(folder, PublishOptions())
    assert done["digest"] == local.digest
    probe, *asked = calls.asked
    assert probe == {"coldpress": "probe"}
    assert [each["verb"] for each in asked] == ["publish-packages", "publish"]
    layout = StoreLayout(tmp_path / "store")
    refs = read_upward(layout.model(MODEL))
    assert refs
    packages = read_version(layout, MODEL, refs.versions[1]).content.packages
    assert packages
    assert read_package_set(layout, packages).target == Target.running()
    (here,) = list_packages(StoreLayout(tmp_path / "local"))
    assert here["digest"] == str(packages)


def test_a_model_whose_packages_cannot_be_got_leaves_nothing_anywhere(
    remote: StageStore, bucket: Bucket, wheels: Path, tmp_path: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "greetings")
    (wheels / "greetings-1.0-py3-none-any.whl").unlink()
    with pytest.raises(PackagesError, match="pip finds no package greetings"):
        remote.publish_folder(folder, PublishOptions())
    assert bucket.keys() == []


def test_a_model_that_does_not_fit_its_packages_is_refused_by_the_functions_trial(
    remote: StageStore, wheels: Path, tmp_path: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "greetings")
    write_requirements(folder / "requirements.txt", write_wheel(wheels, "another"))
    with pytest.raises(RefusedError, match="No module named 'greetings'") as caught:
        remote.publish_folder(folder, PublishOptions())
    assert caught.value.code == "trial"
    assert remote.list_models() == {"models": []}


def test_a_set_by_itself_is_for_the_functions_python_unless_said(
    remote: StageStore, wheels: Path, tmp_path: Path
) -> None:
    pins = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha"))
    done = remote.publish_packages(pins, PackageSetOptions())
    assert (done["created"], done["packages"]) == (True, {"alpha": "1.0"})
    assert done["target"] == Target.running().to_json()
    again = remote.publish_packages(pins, PackageSetOptions())
    assert again == {**done, "created": False}
    other = remote.publish_packages(pins, PackageSetOptions(platform="aarch64-manylinux_2_28"))
    assert other["target"] == {**done["target"], "platform": "aarch64-manylinux_2_28"}
    listed = remote.list_packages()["packages"]
    assert sorted(each["digest"] for each in listed) == sorted([done["digest"], other["digest"]])


def test_a_set_for_a_stage_is_pruned_unless_said(
    remote: StageStore, wheels: Path, tmp_path: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "greetings")
    recipe = folder / "model.toml"
    recipe.write_text(f"{recipe.read_text()}prune = false\n")
    remote.publish_folder(folder, PublishOptions())
    pins = folder / "requirements.txt"
    assert not remote.publish_packages(pins, PackageSetOptions(pruned=False))["created"]
    assert remote.publish_packages(pins, PackageSetOptions())["created"]
    assert sorted(each["pruned"] for each in remote.list_packages()["packages"]) == [False, True]


def test_another_version_of_what_the_functions_bring_is_refused_before_anything_is_uploaded(
    remote: StageStore, bucket: Bucket, wheels: Path, tmp_path: Path
) -> None:
    pins = write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "orjson", version="9.9"))
    brought = remote.runtime().packages["orjson"]
    said = f"^{pins} pins orjson 9.9, where the runtime brings {brought}: "
    with pytest.raises(PackagesError, match=said):
        remote.publish_packages(pins, PackageSetOptions())
    with pytest.raises(PackagesError, match=r"pins orjson 9\.9, where the runtime brings "):
        remote.publish_packages(pins, PackageSetOptions(platform="aarch64-manylinux_2_28"))
    assert bucket.keys() == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            PackageSetOptions(python="3.99"),
            f", which is {Target.running().python}, and Python 3.99 was ask",
        ),
        (PackageSetOptions(interpreter=Path(sys.executable)), ": leave --interpreter out"),
    ],
)
def test_a_stage_compiles_with_its_own_python_alone(
    remote: StageStore, bucket: Bucket, tmp_path: Path, asked: PackageSetOptions, said: str
) -> None:
    with pytest.raises(PackagesError) as caught:
        remote.publish_packages(tmp_path / "pins.txt", asked)
    compiles = "the sync function of stage 'dev' compiles packages with its own Python"
    assert str(caught.value).startswith(compiles + said)
    assert bucket.keys() == []


def test_the_same_version_is_left_to_the_functions(
    remote: StageStore, bucket: Bucket, wheels: Path, tmp_path: Path
) -> None:
    brought = remote.runtime().packages["orjson"]
    pinned = (
        write_wheel(wheels, "orjson", version=brought),
        write_wheel(wheels, "alpha"),
    )
    pins = write_requirements(tmp_path / "pins.txt", *pinned)
    done = remote.publish_packages(pins, PackageSetOptions())
    assert done["packages"] == {"alpha": "1.0"}
    assert len(bucket.keys("blobs/")) == 1
