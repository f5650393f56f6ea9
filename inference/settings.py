"""Settings of the function, read from the environment once, when the process starts."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeVar

from model_store.errors import InvalidNameError
from model_store.names import check_model

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


Choice = TypeVar("Choice", bound=StrEnum)

_MOST_MEGABYTES: Final = 1 << 24


class SettingError(ValueError):
    """An environment variable is missing or wrong; the message names it."""


class BackgroundMode(StrEnum):
    """Handling of background work after an answer: the setting `BACKGROUND`.

    AUTO: keep working, but no longer than recent gaps between calls lasted. EXTENSION: keep working
    until it is done. THREAD: stop after the answer, and continue during other calls.
    """

    AUTO = "auto"
    EXTENSION = "extension"
    THREAD = "thread"


class Verify(StrEnum):
    """Bytes of a version that are checked, and the time of the check: the setting `VERIFY`.

    CHUNKS: the chunks that a cold start reads, before the first answer; the rest later, in the
    background. ALL: every byte, before the first answer. SIZE: file sizes only. OFF: nothing.
    """

    CHUNKS = "chunks"
    ALL = "all"
    SIZE = "size"
    OFF = "off"


def background_mode(environ: Mapping[str, str]) -> BackgroundMode:
    """Read the setting `BACKGROUND`; raises SettingError naming it."""
    return _choice(environ, "BACKGROUND", BackgroundMode.AUTO)


class Settings(NamedTuple):
    """Settings of a serving environment.

    - `STORE_PATH`: the store's root (on Lambda, below /mnt).
    - `DEFAULT_MODEL`: the model of calls to /predict; None if unset.
    - `REF_TTL_S`: time after which refs are read again.
    - `MAX_STALENESS_S`: time for which a version that refs no longer name may answer while the new
      one loads; after it, calls wait for the new version.
    - `MEMORY_BUDGET_MB`: memory limit for all versions together. If unset, it is derived from
      `AWS_LAMBDA_FUNCTION_MEMORY_SIZE` (set by Lambda); without both, there is no limit.
    - `PRELOAD_MODELS`: names of models to load at start, separated by commas.
    - `SHADOW_PERCENT`: percentage of calls that the version labelled `shadow` runs as well, without
      answering them.
    - `BACKGROUND`: handling of loads after an answer, on Lambda (lambda_runtime/extension.py).
    - `VERIFY`: the bytes of a version that are checked, and when (loading/read_plan.py).
    """

    store_path: Path
    default_model: str | None = None
    ref_ttl_s: float = 2.0
    max_staleness_s: float = 60.0
    memory_budget_mb: int | None = None
    function_memory_mb: int | None = None
    preload_models: tuple[str, ...] = ()
    shadow_percent: float = 10.0
    background: BackgroundMode = BackgroundMode.AUTO
    verify: Verify = Verify.CHUNKS

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings; raises SettingError naming the first variable that is wrong."""
        store = environ.get("STORE_PATH", "")
        if not store:
            raise SettingError("STORE_PATH is not set: give it the path where the store is mounted")
        return cls(
            store_path=Path(store),
            default_model=_model(environ, "DEFAULT_MODEL"),
            ref_ttl_s=_seconds(environ, "REF_TTL_S", default=2.0),
            max_staleness_s=_seconds(environ, "MAX_STALENESS_S", default=60.0),
            memory_budget_mb=_megabytes(environ, "MEMORY_BUDGET_MB"),
            function_memory_mb=_megabytes(environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
            preload_models=_models(environ, "PRELOAD_MODELS"),
            shadow_percent=_percent(environ, "SHADOW_PERCENT", default=10.0),
            background=background_mode(environ),
            verify=_choice(environ, "VERIFY", Verify.CHUNKS),
        )

    def describe(self) -> dict[str, Any]:
        """Return the settings as JSON, for the probe. None of them is a secret."""
        return {
            "store_path": str(self.store_path),
            "default_model": self.default_model,
            "ref_ttl_s": self.ref_ttl_s,
            "max_staleness_s": self.max_staleness_s,
            "memory_budget_mb": self.memory_budget_mb,
            "function_memory_mb": self.function_memory_mb,
            "preload_models": list(self.preload_models),
            "shadow_percent": self.shadow_percent,
            "background": str(self.background),
            "verify": str(self.verify),
        }


def _choice(environ: Mapping[str, str], name: str, default: Choice) -> Choice:
    text = environ.get(name, "") or default
    try:
        return type(default)(text)
    except ValueError:
        *some, last = type(default)
        expected = f"{', '.join(some)} or {last}"
        raise SettingError(f"{name} is {text!r}: expected {expected}") from None


def _model(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(name, "")
    if not value:
        return None
    try:
        return check_model(value)
    except InvalidNameError as error:
        raise SettingError(f"{name}: {error}") from None


def _models(environ: Mapping[str, str], name: str) -> tuple[str, ...]:
    names = [part.strip() for part in environ.get(name, "").split(",")]
    try:
        return tuple(dict.fromkeys(check_model(part) for part in names if part))
    except InvalidNameError as error:
        raise SettingError(f"{name}: {error}") from None


def _megabytes(environ: Mapping[str, str], name: str) -> int | None:
    text = environ.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_MEGABYTES):
        raise SettingError(f"{name} is {text!r}: expected a whole number of megabytes, 1 or more")
    return int(text)


def _percent(environ: Mapping[str, str], name: str, *, default: float) -> float:
    return _number(
        environ, name, default, "a percentage, 0 to 100", lambda value: 0 <= value <= 100
    )


def _seconds(environ: Mapping[str, str], name: str, *, default: float) -> float:
    expected = "a number of seconds, 0 or more"
    return _number(environ, name, default, expected, lambda value: 0 <= value < math.inf)


def _number(
    environ: Mapping[str, str],
    name: str,
    default: float,
    expected: str,
    is_right: Callable[[float], bool],
) -> float:
    text = environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan  # no comparison with it is true
    if not is_right(value):
        raise SettingError(f"{name} is {text!r}: expected {expected}")
    return value
