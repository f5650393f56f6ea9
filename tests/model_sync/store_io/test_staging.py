from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.errors import InvalidNameError
from model_sync.store_io.staging import Staging
from tests.support.snapshots import FOLDER, modes, snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout
    from tests.support.durability import Synced


def _staged(layout: StoreLayout) -> list[Path]:
    return list((layout.root / "staging").iterdir())


def _fill(staging: Staging) -> None:
    (staging.path("version") / "deep").mkdir(parents=True)
    (staging.path("version") / "deep" / "file").write_bytes(b"data")


def test_each_writer_has_a_folder_of_its_own(layout: StoreLayout) -> None:
    with Staging(layout) as one, Staging(layout) as two:
        assert one.folder != two.folder
        assert set(_staged(layout)) == {one.folder, two.folder}


def test_what_is_staged_is_removed_at_the_end(layout: StoreLayout) -> None:
    with Staging(layout) as staging:
        _fill(staging)
    assert _staged(layout) == []


@pytest.mark.parametrize("kind", [OSError, ValueError, KeyboardInterrupt, SystemExit])
def test_what_is_staged_is_removed_whatever_ends_it(
    layout: StoreLayout, kind: type[BaseException]
) -> None:
    with pytest.raises(kind), Staging(layout) as staging:  # noqa: PT012 - the block is the point
        _fill(staging)
        raise kind
    assert _staged(layout) == []


def test_removing_follows_no_link(layout: StoreLayout, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"")
    with Staging(layout) as staging:
        staging.path("link").symlink_to(tmp_path / "outside")
    assert (tmp_path / "outside" / "file").exists()


def test_another_writers_folder_is_left_alone(layout: StoreLayout) -> None:
    with Staging(layout) as other:
        _fill(other)
        before = snapshot(other.folder)
        with Staging(layout) as staging:
            _fill(staging)
        assert snapshot(other.folder) == before


@pytest.mark.parametrize("name", ["..", "../other", "/tmp", "", "a/../../b"])  # noqa: S108
def test_no_name_leads_out_of_it(layout: StoreLayout, name: str) -> None:
    with Staging(layout) as staging, pytest.raises(InvalidNameError):
        staging.path(name)


@pytest.mark.usefixtures("umask")
def test_what_is_published_appears_whole_with_modes_for_everyone_to_read(
    layout: StoreLayout,
) -> None:
    target = layout.model("adder").version("20261123T210935Z-0f3c9a51be77")
    with Staging(layout) as staging:
        (staging.path("version") / "a" / "b").mkdir(parents=True)
        staging.publish("version", target)
        assert not staging.path("version").exists()
    assert modes(layout.models) == {
        str(path.relative_to(layout.models)): FOLDER for path in layout.models.rglob("*")
    }
    assert (target / "a" / "b").is_dir()


def test_what_is_published_is_durable_with_all_its_names(
    layout: StoreLayout, synced: Synced
) -> None:
    target = layout.model("adder").version("20261123T210935Z-0f3c9a51be77")
    with Staging(layout) as staging:
        (staging.path("version") / "a" / "b").mkdir(parents=True)
        staging.publish("version", target)
    assert synced.lacking(layout.models) == []


def test_what_is_taken_back_goes_with_the_staging(layout: StoreLayout, synced: Synced) -> None:
    target = layout.model("adder").version("20261123T210935Z-0f3c9a51be77")
    with Staging(layout) as staging:
        staging.path("version").mkdir()
        staging.publish("version", target)
        staging.withdraw(target)
        assert not target.exists()
    assert _staged(layout) == []
    assert synced.lacking(layout.root / "models") == []
