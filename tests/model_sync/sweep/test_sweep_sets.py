"""Package sets go a day after a sweep saw that no version pins them; never under a publisher."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from model_store.documents import timestamp
from model_store.package_set import Target
from model_store.reading import read_package_set
from model_sync.errors import PackagesError
from model_sync.package_sets.publish import find_published, publish_wheels
from model_sync.package_sets.unused_marks import claim, is_in_place, mark_unused, rely_on
from model_sync.progress import Silent
from model_sync.publishing.publish import publish_source, read_folder
from model_sync.store_io.staging import Staging
from tests.support.models import write_adder
from tests.support.snapshots import snapshot
from tests.support.sweepable import DAY_S
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.digests import Digest
    from tests.support.sweepable import Sweepable


@pytest.fixture
def digest(sweepable: Sweepable) -> Digest:
    """A package set that no version pins."""
    return sweepable.package_set()


def test_it_is_marked_first_and_goes_a_day_later(sweepable: Sweepable, digest: Digest) -> None:
    folder, mark = sweepable.layout.package_set(digest), sweepable.layout.unused_mark(digest)
    assert sweepable.sweep(0)["packages"] == []
    assert mark.exists()
    assert sweepable.sweep(0.9)["packages"] == []
    assert folder.exists()
    found = sweepable.sweep(1.1)
    assert found["packages"] == [str(digest)]
    assert found["failures"] == []
    assert found["freed_bytes"] > 0
    assert not folder.exists()
    assert not mark.exists()


def test_a_long_time_unswept_is_no_day_unused(sweepable: Sweepable, digest: Digest) -> None:
    assert sweepable.sweep(100)["packages"] == []
    assert sweepable.layout.package_set(digest).exists()


def test_it_is_kept_as_long_as_a_version_that_is_not_deleted_pins_it(
    sweepable: Sweepable, digest: Digest
) -> None:
    sweepable.publish(packages=digest)
    for _ in range(3):
        sweepable.publish()
    sweepable.publish("other", packages=digest)
    sweepable.sweep(50)
    assert not sweepable.layout.unused_mark(digest).exists()
    sweepable.run("retire", version=1)
    sweepable.sweep(2)
    assert sweepable.states()[1] == "deleted"
    sweepable.sweep(4)
    assert sweepable.layout.package_set(digest).exists(), "another model pins it"
    sweepable.run("delete-model", model="other")
    sweepable.sweep(2)
    assert sweepable.layout.unused_mark(digest).exists(), "noticed in the same sweep"
    assert sweepable.sweep(3.1)["packages"] == [str(digest)]


def test_a_version_that_is_retired_and_in_place_keeps_it(
    sweepable: Sweepable, digest: Digest
) -> None:
    sweepable.publish(packages=digest)
    sweepable.publish()
    sweepable.run("retire", version=1)
    sweepable.sweep(50)
    assert sweepable.states()[1] == "retired"
    assert not sweepable.layout.unused_mark(digest).exists()


def test_whoever_relies_on_it_takes_the_mark_away(sweepable: Sweepable, digest: Digest) -> None:
    sweepable.sweep(0)
    assert find_published(sweepable.layout, digest)
    assert sweepable.sweep(1.1)["packages"] == []
    assert sweepable.sweep(2.0)["packages"] == [], (
        "it was noticed anew, and a day counts from there"
    )
    assert is_in_place(sweepable.layout, digest)


def test_a_mark_that_is_taken_away_as_sweep_claims_it_saves_the_set(
    sweepable: Sweepable, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweepable.sweep(0)
    rename = os.rename

    def renaming(source: Any, target: Any, **options: Any) -> None:
        if source == digest.hex:
            assert rely_on(sweepable.layout, digest)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", renaming)
    found = sweepable.sweep(2)
    assert (found["packages"], found["failures"]) == ([], [])
    assert is_in_place(sweepable.layout, digest)


def test_a_version_that_is_committed_as_sweep_claims_its_set_saves_it(
    sweepable: Sweepable, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its publisher slept for over a day after it had taken the mark away."""
    sweepable.sweep(0)
    rename = os.rename

    def renaming(source: Any, target: Any, **options: Any) -> None:
        rename(source, target, **options)
        if source == digest.hex:
            monkeypatch.setattr(os, "rename", rename)
            sweepable.publish(packages=digest)

    monkeypatch.setattr(os, "rename", renaming)
    found = sweepable.sweep(2)
    assert (found["packages"], found["failures"]) == ([], [])
    assert is_in_place(sweepable.layout, digest)


def test_a_publisher_that_finds_a_claim_ends_the_deletion_and_makes_the_set_anew(
    sweepable: Sweepable, tmp_path: Path
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    made, _ = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    sweepable.sweep(0)
    assert claim(sweepable.layout, made.digest)
    assert not is_in_place(sweepable.layout, made.digest)
    again, new = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    assert new
    assert again.digest == made.digest
    assert is_in_place(sweepable.layout, made.digest)
    assert sweepable.sweep(0)["packages"] == []
    assert read_package_set(sweepable.layout, made.digest) == again


def test_a_sweep_that_slept_after_its_claim_leaves_what_was_made_anew(
    sweepable: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    made, _ = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    sweepable.sweep(0)
    rename, after = os.rename, []

    def renaming(source: Any, target: Any, **options: Any) -> None:
        if source == "manifest.json":
            monkeypatch.setattr(os, "rename", rename)
            publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
            after.append(snapshot(sweepable.layout.package_set(made.digest)))
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", renaming)
    assert sweepable.sweep(2)["failures"] == []
    assert [snapshot(sweepable.layout.package_set(made.digest))] == after
    assert is_in_place(sweepable.layout, made.digest)


def test_a_sweep_that_slept_before_it_moves_anything_leaves_what_was_made_anew(
    sweepable: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    made, _ = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    sweepable.sweep(0)
    rename = os.rename

    def renaming(source: Any, target: Any, **options: Any) -> None:
        rename(source, target, **options)
        if source == made.digest.hex:
            monkeypatch.setattr(os, "rename", rename)
            assert publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())[1]

    monkeypatch.setattr(os, "rename", renaming)
    found = sweepable.sweep(2)
    assert found["failures"] == []
    assert is_in_place(sweepable.layout, made.digest)


def test_the_manifest_goes_first_so_that_no_half_of_a_set_reads_as_one(
    sweepable: Sweepable, digest: Digest, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweepable.sweep(0)
    rename, taken = os.rename, []

    def renaming(source: Any, target: Any, **options: Any) -> None:
        taken.append(source)
        rename(source, target, **options)

    monkeypatch.setattr(os, "rename", renaming)
    sweepable.sweep(2)
    assert taken[:4] == [digest.hex, "manifest.json", "files.json", "site-packages"]


def test_a_claim_that_another_sweep_left_is_ended_a_day_later(
    sweepable: Sweepable, digest: Digest
) -> None:
    sweepable.sweep(0)
    assert claim(sweepable.layout, digest)
    assert sweepable.sweep(0.9)["packages"] == []
    assert sweepable.sweep(1.1)["packages"] == [str(digest)]
    assert not sweepable.layout.package_set(digest).exists()


def test_a_claim_on_a_set_that_a_version_pins_is_taken_back(
    sweepable: Sweepable, digest: Digest
) -> None:
    sweepable.sweep(0)
    assert claim(sweepable.layout, digest)
    sweepable.publish(packages=digest)
    sweepable.sweep(0)
    assert is_in_place(sweepable.layout, digest)


def test_what_cannot_be_read_keeps_every_set(sweepable: Sweepable, digest: Digest) -> None:
    sweepable.publish()
    (sweepable.model().version(sweepable.refs().versions[1].id) / "manifest.json").write_bytes(
        b"{}"
    )
    for days in (0, 2):
        found = sweepable.sweep(days)
        assert [each["what"] for each in found["failures"]] == ["packages"]
        assert "manifest.json" in found["failures"][0]["error"]
    assert is_in_place(sweepable.layout, digest)
    assert not sweepable.layout.unused_mark(digest).exists()


def _publish_pinning(store: Sweepable, folder: Path, digest: Digest) -> None:
    write_adder(folder, 1.0)
    source, recipe = read_folder(folder, name=None)
    publish_source(source, recipe, store.layout, packages=digest, progress=Silent())


def test_a_publisher_never_names_a_set_that_went_while_it_worked(
    sweepable: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    made, _ = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    link = os.link

    def linking(source: Path, target: Path, **options: Any) -> None:
        if target.name == "MODEL.json":
            # It sleeps for over a day between relying on the set and its commit.
            monkeypatch.setattr(os, "link", link)
            with Staging(sweepable.layout) as staging:
                late = timestamp(time.time() - 2 * DAY_S)
                mark_unused(sweepable.layout, made.digest, staging, late)
            assert sweepable.sweep(0)["packages"] == [str(made.digest)]
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    with pytest.raises(PackagesError, match="was swept: publish again"):
        _publish_pinning(sweepable, tmp_path / "adder", made.digest)
    assert not sweepable.model().generation(1).exists()


def test_a_publisher_whose_set_is_claimed_at_its_commit_reports_no_success(
    sweepable: Sweepable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    made, _ = publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    link = os.link

    def linking(source: Path, target: Path, **options: Any) -> None:
        if target.name == "1.json":
            monkeypatch.setattr(os, "link", link)
            with Staging(sweepable.layout) as staging:
                mark_unused(sweepable.layout, made.digest, staging, timestamp(0))
            assert claim(sweepable.layout, made.digest)
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    with pytest.raises(PackagesError, match="publish again to restore it"):
        _publish_pinning(sweepable, tmp_path / "adder", made.digest)
    # So it is: publishing again heals it.
    publish_wheels((wheel,), sweepable.layout, Target.running(), Silent())
    _publish_pinning(sweepable, tmp_path / "adder", made.digest)
    assert is_in_place(sweepable.layout, made.digest)
    assert len(sweepable.refs().versions) == 1
