from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest

from infra.errors import SettingsError
from infra.settings import (
    LOG_RETENTION_DAYS,
    ApiSettings,
    BatchSettings,
    FunctionSettings,
    JwtSettings,
    StageSettings,
    Target,
    read_stage,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[[str], StageSettings]

FUNCTION = FunctionSettings(memory_mb=3008, timeout_s=900, tmp_mb=512, reserved_concurrency=None)
DEFAULTS = StageSettings(
    stage="test",
    target=Target(python="3.13", architecture="x86_64"),
    default_model="magika",
    ref_ttl_s=2.0,
    preload_models=("magika",),
    max_staleness_s=60.0,
    shadow_percent=10.0,
    log_level="INFO",
    log_retention_days=30,
    upload_retention_days=0,
    keeps_data=True,
    backs_up=True,
    alarm_topic=None,
    api=ApiSettings(rate_per_s=100, burst=200, jwt=None),
    predict=FunctionSettings(memory_mb=3008, timeout_s=60),
    batch=BatchSettings(memory_mb=3008, timeout_s=900, max_concurrency=5),
    sync=FUNCTION,
)
WHOLE = """
python = "3.12"
architecture = "arm64"
default_model = "mini-lm"
ref_ttl_s = 0.5
preload_models = []
max_staleness_s = 0
shadow_percent = 2.5
background = "thread"
verify = "all"
log_level = "DEBUG"
log_retention_days = 1
upload_retention_days = 3650
keeps_data = false
backs_up = false
alarm_topic = "arn:aws:sns:eu-west-1:123456789012:on-call"
[api]
auth = "jwt"
issuer = "https://example.com/pool"
audience = ["a", "b"]
rate_per_s = 1
burst = 5000
[predict]
memory_mb = 128
timeout_s = 1
tmp_mb = 10240
reserved_concurrency = 1
[batch]
memory_mb = 10240
max_concurrency = 7
reserved_concurrency = 7
[sync]
timeout_s = 900
"""
REFUSED = {
    "no toml": ("python = ", "cannot be read"),
    "a key twice": ("keeps_data = true\nkeeps_data = false", "cannot be read"),
    "unknown key": ("pyhton = '3.13'", "pyhton is not a setting"),
    "unknown table": ("[predictor]\nmemory_mb = 128", "predictor is not a setting"),
    "unknown key in api": ("[api]\nrate = 1", r"api\.rate is not a setting"),
    "unknown key in predict": ("[predict]\nmemory = 1", r"predict\.memory is not a setting"),
    "unknown key in batch": ("[batch]\nx = 1", r"batch\.x is not a setting"),
    "unknown key in sync": ("[sync]\nmax_concurrency = 2", r"sync\.max_concurrency is not a"),
    "tokens' issuer without tokens": ("[api]\nissuer = 'https://a'", r"api\.issuer is not a"),
    "a Python that Lambda lacks": ("python = '3.10'", "python is '3.10': expected one of 3.11, "),
    "a Python that is a number": ("python = 3.13", "python is 3.13: expected one of 3.11"),
    "architecture": ("architecture = 'aarch64'", "architecture is 'aarch64': expected one of x86"),
    "no model's name": ("default_model = 'Magika'", "default_model is 'Magika': expected a model"),
    "an empty model's name": ("default_model = ''", "default_model is '': expected a text"),
    "a model that is a number": ("default_model = 7", "default_model is 7: expected a text"),
    "negative time": ("ref_ttl_s = -1", "ref_ttl_s is -1: expected a number, 0 or more"),
    "endless time": ("ref_ttl_s = inf", "ref_ttl_s is inf: expected a number"),
    "no time": ("ref_ttl_s = nan", "ref_ttl_s is nan: expected a number"),
    "time that is a flag": ("ref_ttl_s = true", "ref_ttl_s is True: expected a number"),
    "log level": ("log_level = 'debug'", "log_level is 'debug': expected one of DEBUG, INFO"),
    "days that CloudWatch lacks": ("log_retention_days = 8", "log_retention_days is 8: expected"),
    "days for ever": ("log_retention_days = 0", "log_retention_days is 0: expected one of 1, 3"),
    "days that are a flag": ("log_retention_days = true", "log_retention_days is True: expected"),
    "upload days": ("upload_retention_days = -1", "upload_retention_days is -1: expected a whole"),
    "a flag that is a text": ("keeps_data = 'no'", "keeps_data is 'no': expected true or false"),
    "a flag that is a number": ("backs_up = 1", "backs_up is 1: expected true or false"),
    "no topic": ("alarm_topic = 'me@example.com'", "alarm_topic is 'me@.*: expected the ARN of"),
    "a table that is none": ("api = 'iam'", "api is 'iam': expected a table"),
    "a list of tables": ("[[predict]]\nmemory_mb = 128", "predict is .*: expected a table"),
    "auth": ("[api]\nauth = 'none'", r"api\.auth is 'none': expected one of iam, jwt"),
    "tokens without issuer": ("[api]\nauth = 'jwt'\naudience = ['a']", r"api\.issuer is missing"),
    "tokens without audience": (
        "[api]\nauth = 'jwt'\nissuer = 'https://a'",
        r"api\.audience is missing",
    ),
    "tokens for nobody": (
        "[api]\nauth = 'jwt'\nissuer = 'https://a'\naudience = []",
        r"api\.audience is \[\]: expected a list of texts",
    ),
    "tokens for a number": (
        "[api]\nauth = 'jwt'\nissuer = 'https://a'\naudience = [1]",
        r"api\.audience is 1: expected a text",
    ),
    "an issuer in the clear": (
        "[api]\nauth = 'jwt'\nissuer = 'http://a'\naudience = ['a']",
        r"api\.issuer is 'http://a': expected an https:// address",
    ),
    "no calls": ("[api]\nrate_per_s = 0", r"api\.rate_per_s is 0: expected a whole number from 1"),
    "burst": ("[api]\nburst = 5001", r"api\.burst is 5001: expected a whole .* to 5000"),
    "too little memory": ("[predict]\nmemory_mb = 127", r"predict\.memory_mb is 127: expected"),
    "too much memory": ("[predict]\nmemory_mb = 10241", r"predict\.memory_mb is 10241: expected"),
    "memory in text": ("[sync]\nmemory_mb = '128'", r"sync\.memory_mb is '128': expected a whole"),
    "broken memory": ("[sync]\nmemory_mb = 128.0", r"sync\.memory_mb is 128.0: expected a whole"),
    "memory that is a flag": ("[sync]\ntimeout_s = true", r"sync\.timeout_s is True: expected"),
    "no time to run": ("[sync]\ntimeout_s = 0", r"sync\.timeout_s is 0: expected .* 1 to 900"),
    "more time than Lambda has": ("[batch]\ntimeout_s = 901", r"batch\.timeout_s is 901: expected"),
    "less /tmp than there is": ("[predict]\ntmp_mb = 511", r"predict\.tmp_mb is 511: expected"),
    "nothing reserved": (
        "[predict]\nreserved_concurrency = 0",
        r"predict\.reserved_concurrency is 0: expected a whole number from 1",
    ),
    "less at once than AWS takes": (
        "[batch]\nmax_concurrency = 1",
        r"batch\.max_concurrency is 1: expected a whole number from 2 to 1000",
    ),
    "less reserved than used": (
        "[batch]\nmax_concurrency = 9\nreserved_concurrency = 8",
        r"batch\.reserved_concurrency is 8: expected at least 9",
    ),
    "a model's name that is none": (
        'preload_models = ["ok", "../no"]',
        r"preload_models is '../no': expected models' names",
    ),
    "no list of models": ("preload_models = 3", r"preload_models is 3: expected a list of texts"),
    "more than all": (
        "shadow_percent = 101",
        r"shadow_percent is 101\.0: expected a percentage, 0 to 100",
    ),
}


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read a stage of this text."""

    def read_text(text: str) -> StageSettings:
        (tmp_path / "test.toml").write_text(text, "utf-8")
        return read_stage("test", tmp_path)

    return read_text


def test_every_key_is_optional(read: Read) -> None:
    assert read("") == DEFAULTS


def test_every_key_is_read(read: Read) -> None:
    settings = read(WHOLE)
    assert settings == StageSettings(
        stage="test",
        target=Target(python="3.12", architecture="arm64"),
        default_model="mini-lm",
        ref_ttl_s=0.5,
        preload_models=(),
        max_staleness_s=0.0,
        shadow_percent=2.5,
        background="thread",
        verify="all",
        log_level="DEBUG",
        log_retention_days=1,
        upload_retention_days=3650,
        keeps_data=False,
        backs_up=False,
        alarm_topic="arn:aws:sns:eu-west-1:123456789012:on-call",
        api=ApiSettings(
            rate_per_s=1,
            burst=5000,
            jwt=JwtSettings(issuer="https://example.com/pool", audience=("a", "b")),
        ),
        predict=FunctionSettings(memory_mb=128, timeout_s=1, tmp_mb=10240, reserved_concurrency=1),
        batch=BatchSettings(
            memory_mb=10240, timeout_s=900, max_concurrency=7, reserved_concurrency=7
        ),
        sync=FUNCTION,
    )
    assert settings.stack_name == "coldpress-test"
    assert settings.target.platform == "aarch64-manylinux_2_28"


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_file_is_refused_in_one_line_that_names_it_and_the_key(
    read: Read, tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(SettingsError, match=rf"^.*test\.toml:? {reason}") as refused:
        read(text)
    assert str(refused.value).startswith(str(tmp_path / "test.toml"))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"test\.toml cannot be read: "):
        read_stage("test", tmp_path)


@pytest.mark.parametrize("stage", ["", "Dev", "../dev", "dev.toml", "1dev", "d" * 21, "dev\n"])
def test_what_is_no_stages_name_never_becomes_a_path(stage: str) -> None:
    with pytest.raises(SettingsError, match="is refused"):
        read_stage(stage)


def test_a_stage_without_a_file_names_those_that_have_one() -> None:
    with pytest.raises(SettingsError, match=r"test\.toml is missing: .*: dev, prod$"):
        read_stage("test")


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_the_stages_that_there_are_can_be_read(stage: str) -> None:
    assert read_stage(stage).stage == stage


def test_a_stage_can_be_built_for_another_python_but_not_for_any() -> None:
    settings = read_stage("dev")
    other = settings.for_python("3.11")
    assert other.target == Target(python="3.11", architecture="x86_64")
    assert other.predict == settings.predict
    with pytest.raises(SettingsError, match=r"Python 2\.7: expected one of 3\.11, "):
        settings.for_python("2.7")


def test_settings_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        read_stage("dev").keeps_data = True  # type: ignore[misc]


def test_the_days_that_logs_may_be_kept_are_cloudwatchs() -> None:
    from aws_cdk.aws_logs import RetentionDays  # noqa: PLC0415

    # CDK's names are its own ("ONE_WEEK"), so the numbers of them are compared.
    assert len(LOG_RETENTION_DAYS) == len(set(RetentionDays)) - len({RetentionDays.INFINITE})
    assert list(LOG_RETENTION_DAYS) == sorted(set(LOG_RETENTION_DAYS))
