"""A model that names requirements: their set is published first, and is part of what it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from model_store.package_set import Target
from model_store.reading import read_upward, read_version
from model_sync.errors import MissingError, PackagesError, RecipeError, SourceError, TrialError
from model_sync.package_sets.publish import list_packages
from model_sync.progress import Silent
from model_sync.publishing.publish import publish, publish_source
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.snapshots import snapshot
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.version import VersionContent
    from model_sync.publishing.publication import PublishResult


WRITES: Final = """\
import errno, os, tempfile
from pathlib import Path

HERE = Path(__file__).parent
OTHER = Path(tempfile.gettempdir(), f"other-{os.getpid()}")
OTHER.write_text("written elsewhere")
WAYS = [
    lambda: (HERE / "cache").write_text("written"),
    lambda: open(__file__, "r+"),
    lambda: open(bytes(HERE / "cache"), "x"),
    lambda: os.close(os.open(HERE / "cache", os.O_CREAT)),
    lambda: tempfile.TemporaryFile(dir=HERE),
    lambda: tempfile.mkdtemp(dir=HERE),
    lambda: os.makedirs(HERE / "new" / "folder"),
    lambda: OTHER.rename(HERE / "other"),
    lambda: os.link(OTHER, HERE / "other"),
    lambda: (HERE / "other").symlink_to(OTHER),
    lambda: os.utime(HERE),
    lambda: os.chmod(HERE, 0o777),
    lambda: os.truncate(__file__, 0),
    lambda: os.remove(__file__),
    lambda: os.rename(__file__, OTHER),
]

def refusal(way):
    try:
        way()
    except OSError as error:
        return error.errno

wrote = [n for n, way in enumerate(WAYS) if refusal(way) != errno.EROFS]
os.makedirs(HERE, exist_ok=True)
OTHER.unlink()
GREETING = f"wrote by {wrote}" if wrote else "writes 1.0"
"""


def publish_model(folder: Path, layout: StoreLayout) -> PublishResult:
    return publish(folder, layout.root, progress=Silent())


def content_of(layout: StoreLayout, number: int) -> VersionContent:
    refs = read_upward(layout.model(MODEL))
    assert refs
    return read_version(layout, MODEL, refs.versions[number]).content


def refused(folder: Path, layout: StoreLayout, kind: type[Exception]) -> str:
    with pytest.raises(kind) as caught:
        publish_model(folder, layout)
    assert not layout.models.exists()
    assert not list((layout.root / "staging").glob("*"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_version_pins_the_set_of_its_requirements_for_this_python(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    # Its golden case is answered only where the package can be imported: the trial could.
    assert publish_model(write_greeter(tmp_path / MODEL, wheels, "pinned"), layout).created
    (listed,) = list_packages(layout)
    content = content_of(layout, 1)
    assert str(content.packages) == listed["digest"]
    assert listed["packages"] == {"pinned": "1.0"}
    assert listed["target"] == Target.running().to_json()
    assert not [entry.path for entry in content.files if "requirements" in entry.path]


def test_other_requirements_are_another_version_and_the_same_are_the_same(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    publish_model(folder, layout)
    before = snapshot(layout.root / "models"), snapshot(layout.packages)
    again = publish_model(folder, layout)
    assert (again.version, again.changed) == (1, False)
    assert (snapshot(layout.root / "models"), snapshot(layout.packages)) == before
    more = write_wheel(wheels, "more")
    pinned = (folder / "requirements.txt").read_text()
    (folder / "requirements.txt").write_text(
        pinned + write_requirements(tmp_path / "more.txt", more).read_text()
    )
    assert publish_model(folder, layout).version == 2
    one, two = content_of(layout, 1), content_of(layout, 2)
    assert one == two._replace(packages=one.packages)
    assert len(list_packages(layout)) == 2
    (folder / "requirements.txt").write_text(f"# the same packages\n{pinned}")
    assert publish_model(folder, layout).version == 1


def test_the_set_is_in_place_before_anything_of_the_version_is(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    class Watching(Silent):
        """Sees which sets are in place whenever something is said of the version."""

        def __init__(self) -> None:
            self.seen: list[int] = []

        def step(self, what: str, total_bytes: int = 0) -> None:
            if what.startswith(("copying", "inspecting", "trying")):
                self.seen.append(len(list_packages(layout)))

    progress = Watching()
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    publish(folder, layout.root, progress=progress)
    assert progress.seen
    assert set(progress.seen) == {1}


def test_a_version_that_fails_its_trial_leaves_its_set_and_nothing_else(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    (folder / "golden" / "one" / "expected.json").write_text('"another"')
    assert "golden case 'one' is answered wrongly" in refused(folder, layout, TrialError)
    assert len(list_packages(layout)) == 1


def test_a_package_that_the_set_lacks_fails_the_trial(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    write_requirements(folder / "requirements.txt", write_wheel(wheels, "another"))
    assert "No module named 'pinned'" in refused(folder, layout, TrialError)


def remove(folder: Path) -> None:
    (folder / "requirements.txt").unlink()


def link_out(folder: Path) -> None:
    (folder / "requirements.txt").rename(folder.parent / "outside.txt")
    (folder / "requirements.txt").symlink_to("../outside.txt")


def name_nothing(folder: Path) -> None:
    (folder / "requirements.txt").write_text("# nothing\n")


def pin_nothing(folder: Path) -> None:
    (folder / "requirements.txt").write_text("pinned==1.0\n")


@pytest.mark.parametrize(
    ("spoil", "kind", "reason"),
    [
        (remove, MissingError, "requirements.txt is missing"),
        (link_out, SourceError, "requirements.txt leads out of the model's folder"),
        (name_nothing, PackagesError, "requirements.txt names no package for Python"),
        (pin_nothing, PackagesError, "every requirement needs a pinned version and its hashes"),
    ],
)
def test_requirements_that_give_no_set_are_refused(
    tmp_path: Path,
    layout: StoreLayout,
    wheels: Path,
    spoil: Callable[[Path], None],
    kind: type[Exception],
    reason: str,
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    spoil(folder)
    assert reason in refused(folder, layout, kind)
    assert not layout.packages.exists()


def test_a_registry_out_of_reach_is_told_at_once(
    tmp_path: Path, layout: StoreLayout, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # no server listens there
    # What a person may have set for patience does not make them wait for a network that is gone.
    monkeypatch.setenv("PIP_RETRIES", "20")
    began = time.monotonic()
    message = refused(folder, layout, PackagesError)
    assert "the package registry cannot be reached" in message
    assert time.monotonic() - began < 60


def test_a_source_that_no_registry_is_near_is_refused(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    folder = write_greeter(tmp_path / MODEL, wheels, "pinned")
    source = FolderSource(folder)
    recipe = read_recipe(source, implied_name=MODEL)
    with pytest.raises(RecipeError) as caught:
        publish_source(source, recipe, layout, progress=Silent())
    message = str(caught.value)
    assert message.startswith(f"{folder}/model.toml names packages, which come from a registry")
    assert message.endswith("publish the model with make sync-model")
    assert not layout.models.exists()
    assert not layout.packages.exists()


def test_a_package_that_writes_beside_its_modules_cannot_when_it_is_tried(
    tmp_path: Path, layout: StoreLayout, wheels: Path
) -> None:
    """As in a function, whose mount is read-only: the set never changes."""
    folder = write_greeter(tmp_path / MODEL, wheels, "writes")
    wheel = write_wheel(wheels, "writes", files={"writes/__init__.py": WRITES})
    write_requirements(folder / "requirements.txt", wheel)
    publish_model(folder, layout)
    (site,) = layout.packages.glob("*/site-packages")
    assert sorted(path.name for path in (site / "writes").rglob("*")) == ["__init__.py"]
    assert (site / "writes" / "__init__.py").read_text() == WRITES
