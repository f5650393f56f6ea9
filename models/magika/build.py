"""Take Magika's model and its tables out of the package `magika`, without installing it.

    python models/magika/build.py          # writes models/magika/build/, prints nothing

Its rules, in order:

1. wheel.txt names one wheel by digest, the pure-Python one, so every platform takes the same bytes
   and builds the same files. pip fetches the wheel from the index in pip's configuration.
2. Nothing is written before everything has been read; each file then appears by a rename, whole.
3. An error is one line on stderr and exit code 1.

Standard library only, and the interpreter's own pip. Not here: the use of the files (pipeline.py).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WHEEL = HERE / "wheel.txt"
BUILD = HERE / "build"

MODEL = "magika/models/standard_v3_3/model.onnx"
CONFIG = "magika/models/standard_v3_3/config.min.json"
KNOWLEDGE = "magika/config/content_types_kb.min.json"

LABELS_WITHOUT_MODEL = ("empty", "txt", "unknown")
"""Labels that Magika answers without asking the model, or against the model's label."""


class BuildError(Exception):
    """The build cannot continue; the message is one line for the user."""


def main() -> int:
    """Build everything; return the process's exit code."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            outputs = read_outputs(download(Path(folder)))
        BUILD.mkdir(exist_ok=True)
        for name, data in outputs.items():
            write_whole(BUILD / name, data)
    except (BuildError, OSError, zipfile.BadZipFile) as error:
        print(f"{HERE.name}/build.py: {error}", file=sys.stderr)
        return 1
    return 0


def download(folder: Path) -> Path:
    """Have pip put the wheel that wheel.txt names into `folder`; pip checks its digest."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-input"),
            *("--disable-pip-version-check", "--no-deps", "--require-hashes"),
            # Without a platform, pip prefers the wheel with this machine's command-line tool in it.
            *("--only-binary", ":all:", "--platform", "any"),
            *("--dest", str(folder), "--requirement", str(WHEEL)),
        ],
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="replace",
        cwd=folder,
    )
    if done.returncode:
        raise BuildError(why_pip_failed(done.stderr))
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise BuildError(f"{WHEEL.name} must name one wheel; pip fetched {len(wheels)}")
    return wheels[0]


def why_pip_failed(stderr: str) -> str:
    """Summarize pip's error output in one line."""
    if "DO NOT MATCH THE HASHES" in stderr:
        found = re.search(r"Got\s+([0-9a-f]+)", stderr)
        digest = found[1] if found else "unknown"
        return f"the wheel offered has sha256 {digest}, which is not the one in {WHEEL.name}"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    said = (errors or lines[-1:] or ["nothing"])[0]
    if "from versions: none" in said:
        said += "; is a package registry reachable?"
    broken = re.findall(r"connection broken by '(.*)': /", stderr)
    if broken:
        said += " " + re.sub(r"<[^>]*>: ", "", broken[-1])
    return f"pip cannot get what {WHEEL.name} names: {said}"


def read_outputs(wheel: Path) -> dict[str, bytes]:
    """Return every file to build, by name; the same wheel gives the same bytes."""
    with zipfile.ZipFile(wheel) as archive:
        model, config, knowledge = (read_member(archive, m) for m in (MODEL, CONFIG, KNOWLEDGE))
    types = content_types(json.loads(knowledge), json.loads(config))
    return {
        "model.onnx": model,
        "config.min.json": config,
        "content_types.json": json.dumps(types, separators=(",", ":"), sort_keys=True).encode(),
    }


def read_member(archive: zipfile.ZipFile, member: str) -> bytes:
    """Return one file of the wheel; zipfile verifies its checksum."""
    try:
        return archive.read(member)
    except KeyError:
        raise BuildError(f"{Path(archive.filename or '').name} has no {member}") from None


def content_types(knowledge: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the description of each label that can be an answer.

    Magika's own table has half as many labels again, for other tools, and leaves gaps that the
    package fills when it loads the table. The build fills the gaps once.
    """
    overwritten = config["overwrite_map"].values()
    labels = {*config["target_labels_space"], *overwritten, *LABELS_WITHOUT_MODEL}
    return {label: complete(label, knowledge[label]) for label in labels}


def complete(label: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return one content type, with the package's defaults where its table says null."""
    plain = "text/plain" if known["is_text"] else "application/octet-stream"
    return {
        "description": label if known["description"] is None else known["description"],
        "mime_type": plain if known["mime_type"] is None else known["mime_type"],
        "group": "unknown" if known["group"] is None else known["group"],
        "is_text": known["is_text"],
        "extensions": known["extensions"],
    }


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: the file is absent, unchanged or complete at any time."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would be published as it is
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    sys.exit(main())
