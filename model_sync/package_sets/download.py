"""Download the wheels that a requirements file pins, for any target.

This runs on the publisher's machine, because the sync function cannot reach a package registry.
`pip` chooses and checks the wheels: every requirement must be pinned with hashes, and nothing is
built. A yanked version, of which pip only warns, is refused. If there is no matching wheel, the
error lists the wheels that exist (pip_report.py).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_store.lines import on_one_line
from model_sync.errors import FULL, PackagesError, SpaceError
from model_sync.package_sets.pip_report import Missing, describe_yanked
from model_sync.package_sets.runtime_packages import leave_out_runtime_packages, refuse_same_modules
from model_sync.package_sets.source_requirements import first_source_requirement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from model_store.package_set import Target
    from model_sync.progress import Progress

_GLIBC: Final = re.compile(r"(x86_64|aarch64)-manylinux_2_(\d+)")
_MIN_GLIBC_MINOR: Final = 17
# With pip's defaults, 5 and 15, an unreachable registry is reported after a minute and a half.
_RETRIES: Final = "2"
_TIMEOUT_S: Final = "10"
# The parsed messages need these levels, independent of the user's own settings for pip.
_PIP_ENVIRONMENT: Final = {"PIP_QUIET": "0", "PIP_VERBOSE": "0", "PIP_NO_COLOR": "1"}


def get_wheels(
    requirements: Path,
    target: Target,
    runtime_packages: Mapping[str, str],
    folder: Path,
    progress: Progress,
) -> tuple[Path, ...]:
    """Download a set's wheels into `folder`, without packages that the runtime provides.

    `runtime_packages`: versions of the target's runtime, by canonical names. Raises PackagesError.
    """
    progress.step(f"downloading the wheels of {requirements}")
    wheels = download_wheels(requirements, target, folder)
    kept, left = leave_out_runtime_packages(wheels, runtime_packages, requirements)
    refuse_same_modules(kept, runtime_packages, requirements)
    if left:
        progress.step(f"leaving out {', '.join(left)}: the runtime has the same version")
    return kept


def download_wheels(requirements: Path, target: Target, folder: Path) -> tuple[Path, ...]:
    """Download the wheels for a target into `folder`, a temporary folder.

    Raises PackagesError with the reason; SpaceError if the wheels do not fit.
    """
    if not requirements.is_file():
        raise PackagesError(f"{requirements} is missing: name a requirements file")
    source_requirement = first_source_requirement(requirements)
    if source_requirement:
        raise PackagesError(
            f"{requirements}: {on_one_line(source_requirement)} is no wheel, and nothing is "
            "built here: build a wheel of it, or pin a version that has one"
        )
    failure, log = _run_pip(requirements, target, folder)
    if failure is not None:
        if any(f"[Errno {number}]" in failure for number in FULL):
            raise SpaceError(
                f"no room for the wheels of {requirements} in {folder.parent}: make room, or set "
                "TMPDIR to a folder that has some"
            )
        missing = Missing.of_error(failure)
        unreachable = _unreachable(failure, log)
        if missing and not unreachable:
            raise PackagesError(f"{requirements}: {missing.explain(log, target)}")
        reason = unreachable or _reason(failure)
        raise PackagesError(f"{requirements}: {reason} ({_describe(target)})")
    yanked = describe_yanked(log)
    if yanked:
        raise PackagesError(f"{requirements}: {yanked}")
    wheels = tuple(sorted(folder.glob("*.whl")))
    if not wheels:
        raise PackagesError(f"{requirements} names no package {_describe(target)}")
    return wheels


def _run_pip(requirements: Path, target: Target, folder: Path) -> tuple[str | None, str]:
    """Run pip; return its stderr if it failed, else None, and the text of its log."""
    with tempfile.TemporaryDirectory(prefix="coldpress-pip-") as temporary:
        log = Path(temporary, "log")
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--retries", _RETRIES, "--timeout", _TIMEOUT_S, "--log", str(log)),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-cache-dir"),
            *("--implementation", "cp", "--python-version", target.python),
            *(word for tag in _platform_tags(target.platform) for word in ("--platform", tag)),
            *("--abi", f"cp{target.python.replace('.', '')}", "--abi", "abi3", "--abi", "none"),
            *("--dest", str(folder), "-r", str(requirements)),
        ]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env={**os.environ, **_PIP_ENVIRONMENT},
        )
        log_text = log.read_text("utf-8", "replace") if log.is_file() else ""
    return (done.stderr if done.returncode else None), log_text


def _platform_tags(platform: str) -> list[str]:
    """Return the wheel tags that run on a platform, named as in `uv`: `x86_64-manylinux_2_28`.

    pip matches each tag literally, so the tags of all older glibc versions are listed, too.
    """
    match = _GLIBC.fullmatch(platform)
    if not match:
        raise PackagesError(f"{platform!r} is no platform: expected one like x86_64-manylinux_2_28")
    machine, minor = match[1], int(match[2])
    tags = [f"manylinux_2_{m}_{machine}" for m in range(minor, _MIN_GLIBC_MINOR - 1, -1)]
    return [*tags, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"linux_{machine}"]


def _unreachable(stderr: str, log: str) -> str | None:
    """Return the reason why pip got no answer from the registry; None if it did."""
    if "Retry(total=0," in stderr:
        return "the package registry cannot be reached: is there a network, is PIP_INDEX_URL right?"
    refused = re.search(r"Could not fetch URL \S+: (?!404 )(\d{3} \w+ Error)", log)
    return f"the package registry refuses: {refused[1]}" if refused else None


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    mismatch = next((line for line in lines if "DO NOT MATCH THE HASHES" in line), None)
    if mismatch:
        package = next((line for line in lines if "(from -r" in line), "a wheel")
        return f"a wheel does not match its hash: {package.split(' from ')[0]}"
    if any("Hashes are required" in line or "pinned with ==" in line for line in lines):
        return "every requirement needs a pinned version and its hashes (uv pip compile makes them)"
    if any(line.startswith("Traceback") for line in lines):
        return f"pip failed: {lines[-1].rpartition('exceptions.')[2]}"
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["pip failed"])[-1].removeprefix("ERROR: ")


def _describe(target: Target) -> str:
    return f"for Python {target.python} on {target.platform}"
