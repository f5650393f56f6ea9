"""Requirements of the statistics extension."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .requirement import extension
from .server import inputs_for

if TYPE_CHECKING:
    from .server import Server

SECTION = "Statistics Extension"
PARTS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")

asked = partial(extension, "statistics")


def _stats(server: Server, path: str) -> list[dict[str, Any]]:
    stats = server.get(path).ok().object().get("model_stats")
    assert isinstance(stats, list), "no list at 'model_stats'"
    return stats


def _called(server: Server) -> list[dict[str, Any]]:
    """Return the statistics of a model that was just called."""
    model = server.any_model()
    server.infer(model, inputs_for(model)).ok()
    found = _stats(server, f"/v2/models/{model.name}/stats")
    assert found, f"nothing is told of {model.name}, and it was called"
    assert {each.get("name") for each in found} == {model.name}, f"told of others: {found}"
    return found


@asked("statistics.form", f"{SECTION}: Statistics Response JSON Object")
def what_is_told_has_counts_and_durations(server: Server) -> None:
    for each in _called(server):
        assert isinstance(each.get("version", ""), str), "'version' is no string"
        for key in ("last_inference", "inference_count", "execution_count"):
            assert type(each.get(key)) is int, f"{key!r} is {each.get(key)!r}"
        assert isinstance(each.get("batch_stats"), list), "no list at 'batch_stats'"
        parts = each.get("inference_stats")
        assert isinstance(parts, dict), "no object at 'inference_stats'"
        for key in PARTS:
            part = parts.get(key)
            assert isinstance(part, dict), f"no object at {key!r}"
            assert type(part.get("count")) is int, f"{key!r} has no count"
            assert type(part.get("ns")) is int, f"{key!r} has no ns"


@asked("statistics.counts", f"{SECTION}: inference_count")
def every_inference_is_counted(server: Server) -> None:
    model = server.any_model()

    def count() -> int:
        return sum(each["inference_stats"]["success"]["count"] for each in _called(server))

    before = count()
    for _ in range(3):
        server.infer(model, inputs_for(model)).ok()
    found = count() - before
    assert found == 4, f"{found} inferences were counted, and 4 were made"


@asked("statistics.last", f"{SECTION}: last_inference")
def the_last_inference_is_told_in_milliseconds(server: Server) -> None:
    last = max(each["last_inference"] for each in _called(server))
    # In 2020 and in 2100: seconds and nanoseconds lie outside.
    assert 1_577_836_800_000 < last < 4_102_444_800_000, f"'last_inference' is {last}"


@asked("statistics.version", f"{SECTION}: versions")
def one_version_can_be_asked_for(server: Server) -> None:
    model = server.versioned()
    version = model.versions[-1]
    server.infer(model, inputs_for(model), f"/versions/{version}").ok()
    found = _stats(server, f"/v2/models/{model.name}/versions/{version}/stats")
    assert [each.get("version") for each in found] == [version], f"told of {found}"


@asked("statistics.all", SECTION)
def all_models_can_be_asked_for_at_once(server: Server) -> None:
    _called(server)
    names = {each.get("name") for each in _stats(server, "/v2/models/stats")}
    assert server.any_model().name in names, f"told of {names}"


@asked("statistics.unknown", f"{SECTION}: Statistics Response JSON Error Object")
def statistics_of_an_unknown_model_are_an_error_object(server: Server) -> None:
    server.get("/v2/models/no-such-model/stats").is_error()
