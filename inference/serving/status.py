"""The state of an environment, for readiness and the probe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from inference.process.clock import Moment

if TYPE_CHECKING:
    from inference.serving.view import ModelView
    from inference.serving.warm_models import WarmModel


class Quarantined(NamedTuple):
    """A version in quarantine, and the reason."""

    version: int
    reason: str


class ModelState(NamedTuple):
    """The state of one model.

    - `warm`: the bytes of each warm version, by its number; `variants`: the variant of each.
    - `staleness_s`: the longest time for which a label has been answered by a version that it no
      longer names.
    - `refs_error`: why the last read of refs failed; None if it succeeded.
    """

    generation: int
    warm: dict[int, int]
    variants: dict[int, str]
    answering: dict[str, int]
    loading: tuple[int, ...]
    quarantined: tuple[Quarantined, ...]
    staleness_s: float
    refs_error: str | None

    @property
    def failed(self) -> dict[int, str]:
        """The reasons for quarantine, by version number."""
        return {each.version: each.reason for each in self.quarantined}


class Environment(NamedTuple):
    """The state of all models, and the memory that they take by the ledger."""

    models: dict[str, ModelState]
    used_bytes: int
    budget_bytes: int | None


def state_of(model: WarmModel, view: ModelView) -> ModelState:
    """Return the state of one model. The caller holds the lock of the warm models."""
    now = Moment.now()
    return ModelState(
        generation=view.refs.generation,
        warm={
            number: warm.loaded.need.resident_bytes for number, warm in sorted(model.warm.items())
        },
        variants={number: warm.loaded.variant for number, warm in sorted(model.warm.items())},
        answering=dict(sorted(model.answering.items())),
        loading=tuple(sorted(model.loads)),
        quarantined=tuple(
            Quarantined(failure.version, failure.reason) for failure in model.failures.values()
        ),
        staleness_s=max(
            (
                model.current_at[label].elapsed_s(now)
                for label, number in model.answering.items()
                if view.refs.labels.get(label) != number and label in model.current_at
            ),
            default=0.0,
        ),
        refs_error=view.error,
    )


def describe_environment(environment: Environment) -> dict[str, Any]:
    """Return an environment's state as JSON, for the probe."""
    return {
        "used_bytes": environment.used_bytes,
        "budget_bytes": environment.budget_bytes,
        "models": {
            name: state._asdict() | {"quarantined": [each._asdict() for each in state.quarantined]}
            for name, state in environment.models.items()
        },
    }


def describe_troubles(environment: Environment) -> list[dict[str, Any]]:
    """Return the errors that keep models from the newest versions, in a stable order."""
    troubles: list[dict[str, Any]] = []
    for name, state in sorted(environment.models.items()):
        if state.refs_error:
            troubles.append({"model": name, "error": state.refs_error})
        troubles.extend(
            {"model": name, "version": failed.version, "error": failed.reason}
            for failed in sorted(state.quarantined)
        )
    return troubles
