from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.settings import SettingError, Settings, Verify
from tests.support.places import ROOT

STORE = {"STORE_PATH": "/mnt/store"}


def test_only_the_stores_path_is_needed() -> None:
    assert Settings.from_environ(STORE) == Settings(Path("/mnt/store"), None, 2.0)


def test_every_setting_is_read() -> None:
    environ = STORE | {"DEFAULT_MODEL": "magika", "REF_TTL_S": "0.5", "PATH": "/bin"}
    assert Settings.from_environ(environ) == Settings(Path("/mnt/store"), "magika", 0.5)


def test_an_empty_variable_is_as_none_at_all() -> None:
    environ = STORE | {"DEFAULT_MODEL": "", "REF_TTL_S": ""}
    assert Settings.from_environ(environ) == Settings(Path("/mnt/store"))


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("2", 2.0), ("1e3", 1000.0), ("60", 60.0)])
def test_a_number_of_seconds_may_be_any_from_zero(text: str, value: float) -> None:
    assert Settings.from_environ(STORE | {"REF_TTL_S": text}).ref_ttl_s == value


@pytest.mark.parametrize("verify", list(Verify))
def test_what_is_verified_is_one_of_four(verify: Verify) -> None:
    assert Settings.from_environ(STORE | {"VERIFY": str(verify)}).verify is verify
    with pytest.raises(SettingError, match=r"expected chunks, all, size or off$"):
        Settings.from_environ(STORE | {"VERIFY": f"{verify}s"})


WRONG = [
    ("STORE_PATH", ""),
    ("REF_TTL_S", "-1"),
    ("REF_TTL_S", "-0.001"),
    ("REF_TTL_S", "nan"),
    ("REF_TTL_S", "inf"),
    ("REF_TTL_S", "-inf"),
    ("REF_TTL_S", "1e999"),
    ("REF_TTL_S", "two"),
    ("REF_TTL_S", "2s"),
    ("REF_TTL_S", "2,5"),
    ("REF_TTL_S", " "),
    ("REF_TTL_S", "true"),
    ("VERIFY", "none"),
    ("VERIFY", "CHUNKS"),
    ("DEFAULT_MODEL", "Magika"),
    ("DEFAULT_MODEL", " magika"),
    ("DEFAULT_MODEL", "../magika"),
    ("DEFAULT_MODEL", "a/b"),
    ("DEFAULT_MODEL", "-a"),
    ("DEFAULT_MODEL", "a" * 65),
    ("DEFAULT_MODEL", "é"),
    ("DEFAULT_MODEL", "magika\n"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_refused_with_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.from_environ(STORE | {name: value})
    message = str(caught.value)
    assert message.startswith(name)
    assert "\n" not in message
    if value:
        assert repr(value[:60])[:-1] in message


def test_no_store_path_is_refused() -> None:
    with pytest.raises(SettingError, match=r"^STORE_PATH is not set"):
        Settings.from_environ({})


def test_the_settings_are_described_as_they_are() -> None:
    described = Settings(Path("/mnt/store"), "magika", 0.5).describe()
    assert described == {
        "store_path": "/mnt/store",
        "default_model": "magika",
        "ref_ttl_s": 0.5,
        "max_staleness_s": 60.0,
        "memory_budget_mb": None,
        "function_memory_mb": None,
        "preload_models": [],
        "shadow_percent": 10.0,
        "background": "auto",
        "verify": "chunks",
    }


@pytest.mark.parametrize(
    ("environ", "name"), [({}, "STORE_PATH"), (STORE | {"REF_TTL_S": "soon"}, "REF_TTL_S")]
)
def test_a_wrong_value_fails_the_functions_init(environ: dict[str, str], name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import inference.predict_function"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"inference.settings.SettingError: {name}")
