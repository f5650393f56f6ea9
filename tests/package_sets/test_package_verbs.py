"""Output of `packages list`, `show` and `constraints` for a local store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.package_set import Target
from model_sync.__main__ import main
from model_sync.cli.print_packages import set_table
from model_sync.package_sets.publish import publish_wheels
from model_sync.package_sets.runtime_packages import PINS, installed_runtime
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import StoreLayout

    Say = Callable[..., str]

TARGET = Target("3.11", "x86_64-manylinux_2_28")


@pytest.fixture
def say(layout: StoreLayout, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a verb of `packages` on the store; what it says on stdout, or on stderr if it fails."""

    def run(*words: str, fails: bool = False) -> str:
        assert main(["packages", *words, "--store", str(layout.root)]) == int(fails)
        out, err = capsys.readouterr()
        assert (out if fails else err) == ""
        return err if fails else out

    return run


def publish_set(layout: StoreLayout, *names: str) -> str:
    wheels = tuple(write_wheel(layout.root.parent / "made", name) for name in names)
    return str(publish_wheels(wheels, layout, TARGET, Silent())[0].digest)


def test_a_set_is_shown_by_what_its_digest_alone_begins_with(layout: StoreLayout, say: Say) -> None:
    digest = publish_set(layout, "alpha", "beta")
    whole = say("show", digest)
    lines = whole.splitlines()
    assert lines[0] == f"package set {digest}"
    assert "  target     Python 3.11 on x86_64-manylinux_2_28" in lines
    assert "  pinned by  no version" in lines
    assert lines[-2:] == ["  package    alpha 1.0", "  package    beta 1.0"]
    for text in (digest[: len("sha256:") + 8], digest.removeprefix("sha256:")[:8]):
        assert say("show", text) == whole
    found = json.loads(say("show", digest, "--json"))
    (in_the_list,) = json.loads(say("list", "--json"))["packages"]
    assert in_the_list.items() <= found.items()
    assert [wheel["name"] for wheel in found["wheels"]] == ["alpha", "beta"]


def test_a_set_is_shown_with_the_versions_in_service_that_pin_it(
    layout: StoreLayout, wheels: Path, say: Say
) -> None:
    folder = write_greeter(layout.root.parent / MODEL, wheels, "pinned")
    for name in ("one", "other"):
        publish(folder, layout.root, name=name, progress=Silent())
    publish_set(layout, "alpha")
    listed = json.loads(say("list", "--json"))["packages"]
    pins = {next(iter(each["packages"])): each["pinned_by"] for each in listed}
    state = {"version": 1, "state": "available"}
    assert pins == {"pinned": [{"model": "one", **state}, {"model": "other", **state}], "alpha": []}
    (digest,) = (each["digest"] for each in listed if "pinned" in each["packages"])
    assert "  pinned by  one@1, other@1\n" in say("show", digest)


def test_a_models_folder_stands_for_the_requirements_that_it_names(
    layout: StoreLayout, wheels: Path, say: Say
) -> None:
    folder = write_greeter(layout.root.parent / MODEL, wheels, "pinned")
    made = say("publish", str(folder), "--quiet")
    assert made.startswith("published sha256:")
    publish(folder, layout.root, progress=Silent())
    digest = made.split()[1]
    assert say("publish", str(folder / "requirements.txt"), "--quiet").split()[1] == digest
    assert f"  pinned by  {MODEL}@1\n" in say("show", digest)
    recipe = folder / "model.toml"
    recipe.write_text(f"{recipe.read_text()}prune = false\n")
    whole = say("publish", str(folder), "--quiet")
    assert whole.endswith("not pruned)\n")
    assert whole.split()[1] != digest
    recipe.write_text("")
    said = say("publish", str(folder), fails=True)
    assert said == f"error: {recipe} names no packages: add [packages] requirements\n"


def test_a_digest_that_names_no_set_or_several_is_refused_in_one_line(
    layout: StoreLayout, say: Say
) -> None:
    assert "no package set in the store" in say("show", "abc", fails=True)
    digests = {publish_set(layout, f"package{n}").partition(":")[2] for n in range(17)}
    firsts = [digest[0] for digest in digests]
    twice = next(first for first in firsts if firsts.count(first) > 1)
    said = say("show", twice, fails=True)
    assert f"{firsts.count(twice)} package sets begin with {twice}: sha256:{twice}" in said
    for text in ("", "xyz", "sha256:", "../..", "*", digests.pop() + "0"):
        assert "is no digest of a package set" in say("show", text, fails=True)


def test_sets_are_listed_as_a_table_the_newest_first(capsys: pytest.CaptureFixture[str]) -> None:
    def described(second: int, digest: str, count: int) -> dict[str, Any]:
        return {
            "digest": f"sha256:{digest}",
            "target": TARGET.to_json(),
            "size_bytes": 1_500_000,
            "files": 12,
            "packages": {f"p{n}": "1.0" for n in range(count)},
            "pinned_by": [{"model": "one", "version": 1, "state": "available"}] * count,
            "created_at": f"2026-11-24T21:00:0{second}Z",
        }

    set_table([described(1, "a" * 64, 1), described(2, "a" * 20 + "b" * 44, 6)], "here")
    headings, *rows = capsys.readouterr().out.splitlines()
    assert headings.split() == [
        *("DIGEST", "PYTHON", "PLATFORM", "SIZE", "FILES", "PINS", "PUBLISHED", "PACKAGES")
    ]
    said = [row.split(maxsplit=8) for row in rows]
    assert [row[0] for row in said] == [f"sha256:{'a' * 20}b", f"sha256:{'a' * 21}"]
    assert said[0][1:8] == [*TARGET, "1.5", "MB", "12", "6", "2026-11-24T21:00:02Z"]
    assert said[0][8] == "6: p0 1.0, p1 1.0, p2 1.0, p3 1.0 and 2 more"
    assert said[1][8] == "1: p0 1.0"


def test_constraints_are_a_file_that_uv_takes(say: Say) -> None:
    first, *pins = say("constraints").splitlines()
    assert first.startswith("# What the runtime brings to Python ")
    assert pins == [f"{name}=={version}" for name, version in installed_runtime().items()]
    assert say("constraints", "--python", "3.11") != say("constraints", "--python", "3.13")
    pinned = PINS.read_text()
    for line in say("constraints", "--python", "3.13").splitlines()[1:]:
        assert f"{line} " in pinned
