"""Settings of a stage: one frozen value, read from one file, `stages/<stage>.toml`.

Every key is optional and explained at its field here. An unknown key or an impossible value is
refused in one line that names the file and the key. This module does not need CDK, so a wrong
file is refused before CDK is loaded.

    python = "3.13"
    [predict]
    memory_mb = 3008
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from infra.errors import SettingsError
from infra.toml_table import StageTable
from model_store.errors import InvalidNameError
from model_store.names import check_model

STAGES: Final = Path(__file__).parent / "stages"

PYTHONS: Final = ("3.11", "3.12", "3.13", "3.14")
ARCHITECTURES: Final = ("x86_64", "arm64")
BACKGROUNDS: Final = ("auto", "extension", "thread")
VERIFIES: Final = ("chunks", "all", "size", "off")
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_RETENTION_DAYS: Final = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The periods that CloudWatch Logs accepts, except "for ever"."""

_STAGE: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSettings:
    """The size of one function. Lambda gives one processor per 1,769 MB."""

    memory_mb: int
    timeout_s: int
    """A caller over HTTP waits 30 s for predict; the rest of its timeout lets a load finish."""
    tmp_mb: int = 512
    reserved_concurrency: int | None = None
    """None shares the account's concurrency. A reservation is taken from the account's other
    functions, and Lambda refuses to leave them fewer than 100: a new account may have fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSettings(FunctionSettings):
    """The batch function, and the largest number of objects in progress at once."""

    max_concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtSettings:
    """The issuer of the tokens that the HTTP API accepts, and their audience."""

    issuer: str
    audience: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """The HTTP API. `jwt` None: callers sign with AWS credentials (IAM)."""

    rate_per_s: int
    burst: int
    jwt: JwtSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The functions' platform: a Python and a processor architecture."""

    python: str
    architecture: str

    @property
    def platform(self) -> str:
        """The platform as `uv` names it."""
        machine = {"x86_64": "x86_64", "arm64": "aarch64"}[self.architecture]
        # Amazon Linux 2023 has glibc 2.34; onnxruntime has no wheels for older than 2.27.
        return f"{machine}-manylinux_2_28"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """One stage of the deployment."""

    stage: str
    target: Target
    default_model: str
    """The model that answers /predict."""
    ref_ttl_s: float
    """Seconds for which a warm function uses refs before it reads them again."""
    preload_models: tuple[str, ...] = ()
    """The models that a predict function begins to load at start; by default the default model."""
    max_staleness_s: float = 60.0
    """Seconds for which a superseded version may answer while the new one loads."""
    shadow_percent: float = 10.0
    """Percentage of calls that the version labelled `shadow` runs, too."""
    background: str = "auto"
    """Means by which a predict function continues loads after an answer: one of BACKGROUNDS."""
    verify: str = "chunks"
    """Extent of the check of a version's bytes as they are read: one of VERIFIES."""
    log_level: str
    log_retention_days: int
    upload_retention_days: int
    """Days after which uploaded blobs are deleted; 0 keeps them, to fill another store from."""
    keeps_data: bool
    """Keep the file system and the buckets when the stack is deleted."""
    backs_up: bool
    """Copy the file system with AWS Backup every day."""
    alarm_topic: str | None
    """ARN of the SNS topic for alarms; None: alarms only show in CloudWatch."""
    api: ApiSettings
    predict: FunctionSettings
    batch: BatchSettings
    sync: FunctionSettings

    @property
    def stack_name(self) -> str:
        """Name of the CloudFormation stack, whose outputs the command line reads."""
        return f"coldpress-{self.stage}"

    def for_python(self, version: str) -> StageSettings:
        """Return the stage for another Python; raises SettingsError for one that Lambda lacks."""
        if version not in PYTHONS:
            raise SettingsError(f"Python {version}: expected one of {', '.join(PYTHONS)}")
        return replace(self, target=replace(self.target, python=version))


def read_stage(stage: str, folder: Path = STAGES) -> StageSettings:
    """Read a stage's file; raises SettingsError."""
    if not _STAGE.fullmatch(stage):
        raise SettingsError(f"stage {stage!r} is refused: expected {_STAGE.pattern}")
    path = folder / f"{stage}.toml"
    if not path.is_file():
        known = ", ".join(sorted(each.stem for each in folder.glob("*.toml"))) or "none"
        raise SettingsError(f"{path} is missing: stages that have a file: {known}")
    table = StageTable.of_file(path)
    default_model = _default_model(table)
    settings = StageSettings(
        stage=stage,
        target=Target(
            python=table.one_of("python", PYTHONS, "3.13"),
            architecture=table.one_of("architecture", ARCHITECTURES, "x86_64"),
        ),
        default_model=default_model,
        ref_ttl_s=table.number("ref_ttl_s", 2.0),
        preload_models=_preload_models(table, default_model),
        max_staleness_s=table.number("max_staleness_s", 60.0),
        shadow_percent=_percent(table, "shadow_percent", 10.0),
        background=table.one_of("background", BACKGROUNDS, "auto"),
        verify=table.one_of("verify", VERIFIES, "chunks"),
        log_level=table.one_of("log_level", LOG_LEVELS, "INFO"),
        log_retention_days=table.one_of("log_retention_days", LOG_RETENTION_DAYS, 30),
        upload_retention_days=table.whole("upload_retention_days", 0, 3650, 0),
        keeps_data=table.flag("keeps_data", default=True),
        backs_up=table.flag("backs_up", default=True),
        alarm_topic=_alarm_topic(table),
        api=_api(table.table("api")),
        predict=_function(table.table("predict"), timeout_s=60),
        batch=_batch(table.table("batch")),
        sync=_function(table.table("sync"), timeout_s=900),
    )
    table.done()
    return settings


def _default_model(table: StageTable) -> str:
    name = table.optional_text("default_model") or "magika"
    try:
        return check_model(name)
    except InvalidNameError:
        raise table.wrong("default_model", name, "a model's name") from None


def _preload_models(table: StageTable, default_model: str) -> tuple[str, ...]:
    names = table.optional_texts("preload_models")
    if names is None:
        return (default_model,)
    for name in names:
        try:
            check_model(name)
        except InvalidNameError:
            raise table.wrong("preload_models", name, "models' names") from None
    return names


def _percent(table: StageTable, key: str, default: float) -> float:
    value = table.number(key, default)
    if value > 100:
        raise table.wrong(key, value, "a percentage, 0 to 100")
    return value


def _alarm_topic(table: StageTable) -> str | None:
    topic = table.optional_text("alarm_topic")
    if topic and not _TOPIC.fullmatch(topic):
        raise table.wrong("alarm_topic", topic, "the ARN of an SNS topic")
    return topic


def _api(table: StageTable) -> ApiSettings:
    jwt = None
    if table.one_of("auth", ("iam", "jwt"), "iam") == "jwt":
        jwt = JwtSettings(issuer=table.text("issuer"), audience=table.texts("audience"))
        if not jwt.issuer.startswith("https://"):
            raise table.wrong("issuer", jwt.issuer, "an https:// address")
    settings = ApiSettings(
        rate_per_s=table.whole("rate_per_s", 1, 10_000, 100),
        burst=table.whole("burst", 1, 5_000, 200),
        jwt=jwt,
    )
    table.done()
    return settings


def _batch(table: StageTable) -> BatchSettings:
    # AWS takes no fewer than 2 for an event source.
    max_concurrency = table.whole("max_concurrency", 2, 1_000, 5)
    function = _function(table, timeout_s=900)
    reserved = function.reserved_concurrency
    if reserved is not None and reserved < max_concurrency:
        # Lambda would refuse calls that the queue makes, and they would count as failed tries.
        raise table.wrong("reserved_concurrency", reserved, f"at least {max_concurrency}")
    return BatchSettings(**asdict(function), max_concurrency=max_concurrency)


def _function(table: StageTable, *, timeout_s: int) -> FunctionSettings:
    settings = FunctionSettings(
        memory_mb=table.whole("memory_mb", 128, 10_240, 3_008),
        timeout_s=table.whole("timeout_s", 1, 900, timeout_s),
        tmp_mb=table.whole("tmp_mb", 512, 10_240, 512),
        reserved_concurrency=table.optional_whole("reserved_concurrency", 1, 10_000),
    )
    table.done()
    return settings
