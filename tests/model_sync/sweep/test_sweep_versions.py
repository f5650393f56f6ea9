"""A version is deleted when it is retired, its time has passed and nothing names it; not before."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from model_store.documents import now, timestamp
from model_store.refs import Change
from model_sync.errors import ChangeError
from model_sync.refs import changes
from tests.support.snapshots import ids_in
from tests.support.sweepable import ADDER

if TYPE_CHECKING:
    from model_store.refs import Refs
    from tests.support.sweepable import Sweepable


def _reasons(found: dict[str, Any]) -> dict[int, str]:
    assert found["failures"] == []
    return {kept["version"]: kept["reason"] for kept in found["kept"]}


def test_a_retired_version_goes_with_its_preparations_after_its_time(sweepable: Sweepable) -> None:
    number = sweepable.retired()
    entry = sweepable.refs().versions[number]
    found = sweepable.sweep(1.1)
    assert found["deleted"] == [{"model": ADDER, "version": number, "size_bytes": entry.size_bytes}]
    assert found["failures"] == []
    assert found["freed_bytes"] > entry.size_bytes, "its manifests count too"
    assert sweepable.states()[number] == "deleted"
    versions, preparations = ids_in(sweepable.model())
    assert entry.id not in versions
    assert not preparations & set(entry.preparations.values())
    assert sweepable.in_place() == {2, 3, 4}
    assert not any((sweepable.layout.root / "trash").iterdir())
    assert sweepable.refs().change.verb == "sweep"
    assert sweepable.model().refs_json.samefile(
        sweepable.model().generation(sweepable.refs().generation)
    )


def test_it_is_kept_before_its_time_and_a_reason_is_given(sweepable: Sweepable) -> None:
    number = sweepable.retired()
    found = sweepable.sweep(0.9)
    after = sweepable.refs().versions[number].sweep_after
    assert found["deleted"] == []
    reasons = _reasons(found)
    said = reasons.pop(1).removeprefix("retired, may be swept after ")
    assert after
    assert after <= said, "a day after its generation was linked, which may be a moment later"
    assert reasons == {
        2: "available",
        3: "available",
        4: "label latest names it",
    }
    assert sweepable.in_place() == {1, 2, 3, 4}


def test_what_is_in_service_is_kept_for_ever(sweepable: Sweepable) -> None:
    sweepable.publish()
    sweepable.publish()
    assert sweepable.sweep(10_000)["deleted"] == []
    assert sweepable.in_place() == {1, 2}


def test_what_a_label_named_before_is_kept_for_rolling_back(sweepable: Sweepable) -> None:
    sweepable.publish()
    sweepable.publish()
    sweepable.run("retire", version=1)
    assert _reasons(sweepable.sweep(50))[1] == "label latest named it before"
    assert sweepable.run("rollback")["version"] == 1
    sweepable.publish()
    sweepable.run("retire", version=2)
    assert sweepable.sweep(50)["deleted"][0]["version"] == 2


def test_what_a_label_named_before_goes_when_the_label_does(sweepable: Sweepable) -> None:
    sweepable.retired()
    sweepable.run("promote", version="2", label="stable")
    sweepable.run("promote", version="3", label="stable")
    sweepable.run("retire", version=2)
    assert _reasons(sweepable.sweep(2))[2] == "label stable named it before"
    sweepable.run("unlabel", label="stable")
    assert [each["version"] for each in sweepable.sweep(2)["deleted"]] == [2]


def test_what_a_job_holds_is_kept_until_then(sweepable: Sweepable) -> None:
    number = sweepable.retired()
    until = sweepable.run("hold", version=number, job="nightly", hours=48)["until"]
    assert _reasons(sweepable.sweep(1.9))[number] == f"held by nightly until {until}"
    assert [each["version"] for each in sweepable.sweep(2.1)["deleted"]] == [number]
    assert sweepable.refs().holds == {}, "a hold that has run out is forgotten"


def test_a_retirement_by_a_wrong_clock_waits_a_day_all_the_same(sweepable: Sweepable) -> None:
    """Or by a machine that slept between its decision and its link."""
    for _ in range(4):
        sweepable.publish()
    past = timestamp(time.time() - 1000)
    sweepable.opened.change(
        ADDER,
        lambda refs: changes.retire(refs, 1, now=past, sweep_after=past),
        verb="retire",
        reason="",
    )
    sweepable.publish()
    assert sweepable.sweep(0.9)["deleted"] == []
    assert [each["version"] for each in sweepable.sweep(1.1)["deleted"]] == [1]


def test_a_version_retired_again_counts_from_the_last_time(sweepable: Sweepable) -> None:
    number = sweepable.retired()
    sweepable.run("promote", version=str(number), label="back")
    sweepable.run("unlabel", label="back")
    past = timestamp(time.time() - 1000)
    sweepable.opened.change(
        ADDER,
        lambda refs: changes.retire(refs, number, now=past, sweep_after=past),
        verb="retire",
        reason="",
    )
    assert sweepable.sweep(0.9)["deleted"] == []


def test_a_label_that_moves_meanwhile_saves_its_version(
    sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = sweepable.retired()
    link = os.link

    def linking(source: Any, target: Any, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        # As sweep is about to commit: another writer is first.
        sweepable.run("promote", version=str(number), label="saved")
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    found = sweepable.sweep(2)
    assert found["deleted"] == []
    assert _reasons(found)[number] == "label saved names it"
    assert sweepable.states()[number] == "available"
    assert sweepable.in_place() == {1, 2, 3, 4}


def test_what_was_deleted_is_promoted_and_held_by_nobody(sweepable: Sweepable) -> None:
    number = sweepable.retired()
    sweepable.sweep(2)
    for verb, fields in (
        ("promote", {"version": str(number)}),
        ("hold", {"version": number, "job": "late", "hours": 1}),
    ):
        with pytest.raises(ChangeError, match="was deleted"):
            sweepable.run(verb, **fields)


def test_a_version_that_was_marked_and_stayed_in_place_goes_at_the_next_sweep(
    sweepable: Sweepable,
) -> None:
    number = sweepable.retired()
    entry = sweepable.refs().versions[number]
    sweepable.opened.change(
        ADDER, lambda refs: changes.delete(refs, [number], now=now()), verb="sweep", reason=""
    )
    found = sweepable.sweep(0)
    assert found["deleted"] == []
    assert found["folders"] == [f"models/adder/versions/{entry.id}"]
    assert sweepable.in_place() == {2, 3, 4}


def test_a_second_sweep_finds_nothing_and_makes_no_generation(sweepable: Sweepable) -> None:
    sweepable.retired()
    sweepable.sweep(2)
    generation = sweepable.refs().generation
    found = sweepable.sweep(2)
    assert (found["deleted"], found["folders"], found["freed_bytes"]) == ([], [], 0)
    assert sweepable.refs().generation == generation


def test_a_new_version_after_a_sweep_has_a_new_number(sweepable: Sweepable) -> None:
    sweepable.retired()
    sweepable.sweep(2)
    assert sweepable.publish() == 5


def test_a_version_that_another_sweeps_meanwhile_is_deleted_once(
    sweepable: Sweepable, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweepable.retired()
    link = os.link

    def linking(source: Any, target: Any, **options: Any) -> None:
        monkeypatch.setattr(os, "link", link)
        sweepable.opened.change(
            ADDER, lambda refs: changes.delete(refs, [1], now=now()), verb="sweep", reason=""
        )
        link(source, target, **options)

    monkeypatch.setattr(os, "link", linking)
    found = sweepable.sweep(2)
    assert (found["deleted"], found["failures"]) == ([], [])
    assert sweepable.in_place() == {2, 3, 4}, "whoever marked it: its folders go"


def test_refs_with_no_known_retirement_are_left_alone(sweepable: Sweepable) -> None:
    number = sweepable.retired()

    def forget(refs: Refs) -> Refs:
        entry = refs.versions[number]._replace(sweep_after=None)
        return refs._replace(
            versions={**refs.versions, number: entry}, change=Change("", now(), "", "")
        )

    sweepable.opened.change(ADDER, forget, verb="repair", reason="")
    assert _reasons(sweepable.sweep(50))[number] == "retired, at an unknown time"
