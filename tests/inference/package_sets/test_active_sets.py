"""Imports of a process from package sets: their order, once each, never two copies."""

from __future__ import annotations

import importlib
import sys
from contextlib import ExitStack
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

import pybase64
import pytest

from inference.errors import LoadError
from inference.package_sets.active_sets import PackageSets, find_conflict, fits
from model_store.digests import Digest
from model_store.errors import NotFoundError
from model_store.package_set import SITE_PACKAGES, PackageSetManifest, Target, Wheel
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store
from tests.support.pythons import put_python
from tests.support.threads import at_once
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from model_store.layout import StoreLayout

RUNNING = Target.running()
WHO = "version 2 of 'm'"
LIBRARY = next(Path(pybase64.__file__).parent.glob("_pybase64*.so"))


@pytest.fixture(autouse=True)
def path(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """This process's `sys.path`, put back after the test; and what it says of bytecode."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return sys.path


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    return open_store(tmp_path / "store")


@pytest.fixture
def sets() -> PackageSets:
    """Active sets of a fresh process: none yet."""
    return PackageSets()


def publish_set(layout: StoreLayout, *wheels: Path, target: Target = RUNNING) -> Digest:
    manifest, _ = publish_wheels(wheels, layout, target, Silent())
    return manifest.digest


def wheel_of(layout: StoreLayout, name: str, version: str = "1.0", text: str = "") -> Path:
    return write_wheel(
        layout.root.parent / "wheels", name, version=version, files={f"{name}.py": f"{text}\n"}
    )


def site_of(layout: StoreLayout, digest: Digest) -> str:
    return str(layout.package_set(digest) / SITE_PACKAGES)


def use(sets: PackageSets, layout: StoreLayout, digest: Digest) -> None:
    with sets.use(layout, digest, WHO):
        pass


def refusal(sets: PackageSets, layout: StoreLayout, digest: Digest) -> str:
    before = [*sys.path]
    with pytest.raises(LoadError) as caught:
        use(sets, layout, digest)
    assert sys.path == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_set_is_appended_once_and_stays(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    before, digest = [*path], publish_set(layout, wheel_of(layout, "alpha"))
    for _ in range(3):
        use(sets, layout, digest)
        assert path == [*before, site_of(layout, digest)]


def test_loads_at_once_append_it_once(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    digest = publish_set(layout, wheel_of(layout, "alpha"))
    at_once(8, lambda _: use(sets, layout, digest))
    assert path.count(site_of(layout, digest)) == 1


def test_what_the_runtime_brings_is_found_before_what_a_set_holds(
    sets: PackageSets, layout: StoreLayout
) -> None:
    digest = publish_set(layout, wheel_of(layout, "numpy"), wheel_of(layout, "only_in_the_set"))
    use(sets, layout, digest)
    numpy, only = PathFinder.find_spec("numpy"), PathFinder.find_spec("only_in_the_set")
    assert numpy
    assert numpy.origin
    assert not numpy.origin.startswith(site_of(layout, digest))
    assert only
    assert only.origin == f"{site_of(layout, digest)}/only_in_the_set.py"


def test_importing_from_a_set_writes_nothing_into_it(
    sets: PackageSets, layout: StoreLayout
) -> None:
    digest = publish_set(layout, wheel_of(layout, "leaves_no_bytecode"))
    before = sorted(layout.packages.rglob("*"))
    use(sets, layout, digest)
    importlib.import_module("leaves_no_bytecode")
    assert sorted(layout.packages.rglob("*")) == before


def test_a_part_of_a_namespace_that_is_imported_already_is_found(
    sets: PackageSets, layout: StoreLayout, tmp_path: Path, path: list[str]
) -> None:
    (tmp_path / "runtime" / "shared_ns").mkdir(parents=True)
    (tmp_path / "runtime" / "shared_ns" / "one.py").write_text("")
    path.append(str(tmp_path / "runtime"))
    importlib.import_module("shared_ns.one")
    files = {"shared_ns/two.py": "NAME = 'two'\n"}
    wheel = write_wheel(tmp_path / "wheels", "shared_two", files=files)
    use(sets, layout, publish_set(layout, wheel))
    assert importlib.import_module("shared_ns.two").NAME == "two"


def test_what_was_missing_before_the_set_was_there_is_found(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    wheel = wheel_of(layout, "came_later")
    digest = PackageSetManifest(
        RUNNING, (Wheel("came-later", "1.0", Digest.of_bytes(wheel.read_bytes())),),
        0, 0, Digest.of_bytes(b""), "",
    ).digest  # fmt: skip
    path.append(site_of(layout, digest))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("came_later")
    path.pop()
    assert publish_set(layout, wheel) == digest
    use(sets, layout, digest)
    importlib.import_module("came_later")


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (RUNNING._replace(python="3.99"), f"Python 3.99 on {RUNNING.machine}"),
        (RUNNING._replace(platform="s390x-manylinux_2_28"), f"Python {RUNNING.python} on s390x"),
    ],
)
def test_a_set_for_another_python_or_processor_is_refused(
    sets: PackageSets,
    layout: StoreLayout,
    target: Target,
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    put_python(monkeypatch, tmp_path / "bin", "3.99")
    digest = publish_set(layout, wheel_of(layout, "alpha"), target=target)
    assert refusal(sets, layout, digest) == (
        f"{WHO} needs packages for {named}; this is Python {RUNNING.python} on {RUNNING.machine}"
    )


@pytest.mark.parametrize(
    ("target", "running", "expected"),
    [
        (("3.11", "x86_64-manylinux_2_28"), ("3.11", "x86_64-manylinux_2_28"), True),
        (("3.11", "x86_64-manylinux_2_17"), ("3.11", "x86_64-manylinux_2_28"), True),
        (("3.12", "x86_64-manylinux_2_28"), ("3.11", "x86_64-manylinux_2_28"), False),
        (("3.1", "x86_64-manylinux_2_28"), ("3.11", "x86_64-manylinux_2_28"), False),
        (("3.11", "aarch64-manylinux_2_28"), ("3.11", "x86_64-manylinux_2_28"), False),
    ],
)
def test_a_target_fits_by_python_and_processor(
    target: tuple[str, str], running: tuple[str, str], expected: bool
) -> None:
    assert fits(Target(*target), Target(*running)) is expected


def test_two_packages_with_one_module_do_not_go_together(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    """As opencv-python and opencv-python-headless: a process imports the first that it finds."""
    wheels = [
        write_wheel(layout.root.parent / "wheels", name, files={"twice.py": f"OF = {name!r}\n"})
        for name in ("twice_one", "twice_two")
    ]
    first, second = (publish_set(layout, wheel) for wheel in wheels)
    use(sets, layout, first)
    assert importlib.import_module("twice").OF == "twice_one"
    assert refusal(sets, layout, second) == (
        f"{WHO} needs twice-two 1.0, and another version loaded here needs twice-one 1.0, whose "
        "modules have the same names: it loads in a fresh environment (Python cannot "
        "hold two versions of a package)"
    )


def test_sets_that_share_a_wheel_and_no_other_package_go_together(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    shared = wheel_of(layout, "shared")
    digests = [publish_set(layout, shared, wheel_of(layout, name)) for name in ("one", "two")]
    for digest in digests:
        use(sets, layout, digest)
    assert path[-2:] == [site_of(layout, digest) for digest in digests]


def test_a_package_that_another_set_has_in_another_version_is_refused(
    sets: PackageSets, layout: StoreLayout
) -> None:
    first = publish_set(layout, wheel_of(layout, "alpha", "1.0"))
    second = publish_set(layout, wheel_of(layout, "alpha", "2.0"), wheel_of(layout, "beta"))
    third = publish_set(layout, wheel_of(layout, "beta"))
    use(sets, layout, first)
    for _ in range(2):
        assert refusal(sets, layout, second) == (
            f"{WHO} needs alpha 2.0, and another version loaded here needs 1.0: it loads in a "
            "fresh environment (Python cannot hold two versions of a package)"
        )
    use(sets, layout, first)
    use(sets, layout, third)
    assert "needs alpha 2.0" in refusal(sets, layout, second)


def test_another_build_of_the_same_version_is_refused(
    sets: PackageSets, layout: StoreLayout
) -> None:
    first = publish_set(layout, wheel_of(layout, "alpha", text="X = 1"))
    second = publish_set(layout, wheel_of(layout, "alpha", text="X = 2"))
    use(sets, layout, first)
    assert "needs alpha 1.0, and another version loaded here needs another build of it" in (
        refusal(sets, layout, second)
    )


def test_of_two_conflicting_sets_at_once_one_is_used(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    before = len(path)
    digests = [publish_set(layout, wheel_of(layout, "alpha", f"{n}.0")) for n in range(1, 5)]

    def one_of(number: int) -> str:
        try:
            use(sets, layout, digests[number])
        except LoadError as error:
            return str(error)
        return ""

    refusals = at_once(len(digests), one_of)
    assert refusals.count("") == 1
    assert path[before:] == [site_of(layout, digests[refusals.index("")])]


def manifest_of(**wheels: str) -> PackageSetManifest:
    listed = [Wheel(name, text[0], Digest.of_bytes(text.encode())) for name, text in wheels.items()]
    return PackageSetManifest(RUNNING, tuple(sorted(listed)), 0, 0, Digest.of_bytes(b""), "")


@pytest.mark.parametrize(
    ("wanted", "in_use", "name"),
    [
        ({}, [], None),
        ({"a": "1"}, [], None),
        ({"a": "1"}, [{"a": "1"}], None),
        ({"a": "1"}, [{"b": "2"}, {}], None),
        ({"a": "1"}, [{"a": "2"}], "a"),
        ({"a": "1", "b": "1"}, [{"a": "1"}, {"b": "2"}], "b"),
        ({"a": "1 built here"}, [{"a": "1 built there"}], "a"),
    ],
)
def test_a_conflict_is_a_package_with_two_wheels(
    wanted: dict[str, str], in_use: list[dict[str, str]], name: str | None
) -> None:
    conflict = find_conflict(manifest_of(**wanted), [manifest_of(**each) for each in in_use])
    assert (conflict and conflict[0].name) == name


def fail_to_load(sets: PackageSets, layout: StoreLayout, digest: Digest, name: str = "") -> None:
    def load() -> None:
        with sets.use(layout, digest, WHO):
            if name:
                importlib.import_module(name)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        load()


def test_a_load_that_fails_before_it_imports_leaves_nothing_behind(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    before = [*path]
    fail_to_load(sets, layout, publish_set(layout, wheel_of(layout, "alpha", "1.0")))
    assert path == before
    use(sets, layout, publish_set(layout, wheel_of(layout, "alpha", "2.0")))


def test_a_load_that_fails_after_it_imported_keeps_the_set(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    digest = publish_set(layout, wheel_of(layout, "imported_and_failed", "1.0"))
    other = publish_set(layout, wheel_of(layout, "imported_and_failed", "2.0"))
    fail_to_load(sets, layout, digest, "imported_and_failed")
    assert path[-1] == site_of(layout, digest)
    assert "needs imported-and-failed 2.0" in refusal(sets, layout, other)


LOADS_AND_FAILS = """\
import ctypes
from pathlib import Path

ctypes.CDLL(str(Path(__file__).with_name("library.so")))
raise ImportError
"""


def test_a_load_that_fails_after_it_loaded_a_library_keeps_the_set(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    """No module of it stays, and the library does: another version's modules would meet it."""
    digest, other = (
        publish_set(
            layout,
            write_wheel(
                layout.root.parent / "wheels",
                "loaded_and_failed",
                version=version,
                files={
                    "loaded_and_failed/__init__.py": LOADS_AND_FAILS,
                    "loaded_and_failed/library.so": LIBRARY.read_bytes(),
                },
            ),
        )
        for version in ("1.0", "2.0")
    )
    with pytest.raises(ImportError), sets.use(layout, digest, WHO):
        importlib.import_module("loaded_and_failed")
    assert "loaded_and_failed" not in sys.modules
    assert path[-1] == site_of(layout, digest)
    assert "needs loaded-and-failed 2.0" in refusal(sets, layout, other)


def test_a_load_that_fails_takes_nothing_from_those_that_have_the_set(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    digest = publish_set(layout, wheel_of(layout, "alpha"))
    with ExitStack() as under_way:
        under_way.enter_context(sets.use(layout, digest, WHO))
        fail_to_load(sets, layout, digest)
        assert path[-1] == site_of(layout, digest)
    fail_to_load(sets, layout, digest)
    assert path[-1] == site_of(layout, digest)


def test_a_set_that_is_not_there_leaves_nothing_behind(
    sets: PackageSets, layout: StoreLayout, path: list[str]
) -> None:
    before, digest = [*path], Digest.of_bytes(b"no such set")
    with pytest.raises(NotFoundError, match=f"the store holds no package set {digest}"):
        use(sets, layout, digest)
    assert path == before
