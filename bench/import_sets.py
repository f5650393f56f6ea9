"""Sets of real packages in .cache: published in a store, as plain folders, and as archives."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.cold_cases import ROOT
from bench.cold_runs import WORKERS
from model_store.package_set import BUILDER, SITE_PACKAGES, Target
from model_sync.package_sets.download import get_wheels
from model_sync.package_sets.publish import publish_wheels
from model_sync.package_sets.runtime_packages import installed_runtime
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

REQUIREMENTS: Final = ROOT / "tests" / "package_sets" / "real" / "requirements.txt"
CACHE: Final = ROOT / ".cache" / "import_sets"
_IN_ARCHIVE: Final = {".py", ".json", ".txt", ".css", ".html"}


class Set(NamedTuple):
    """Prefix of the wheels' file names (none: all), and the modules to import."""

    wheels: tuple[str, ...]
    modules: tuple[str, ...]


_SMALL: Final = (
    "scikit_learn",
    "scipy",
    "joblib",
    "cloudpickle",
    "loky",
    "threadpoolctl",
    "narwhals",
)
_MIDDLE: Final = (
    *_SMALL, "pandas", "python_dateutil", "six", "tzdata", "pytz", "pillow", "tokenizers",
    "huggingface_hub", "opencv",
)  # fmt: skip
SETS: Final = {
    "small": Set(_SMALL, ("sklearn.ensemble",)),
    "middle": Set(_MIDDLE, ("sklearn.ensemble", "pandas")),
    "large": Set(
        (), ("sklearn.ensemble", "pandas", "transformers", "tokenizers", "cv2", "PIL.Image")
    ),
}


class BuiltSet(NamedTuple):
    """A set in .cache: mount `source`, which holds the store, the folder and the archive."""

    source: Path
    digest: str
    size_bytes: int
    files: int
    zip_error: str | None


def make_set(name: str) -> BuiltSet:
    """Return a set as a store, a plain folder, and an archive; build it in .cache if missing."""
    folder = CACHE / f"{name}-{BUILDER}"
    stamp = folder / "made.json"
    if stamp.exists():
        found = json.loads(stamp.read_text("utf-8"))
        return BuiltSet(**{**found, "source": folder / "source"})
    shutil.rmtree(folder, ignore_errors=True)
    source = folder / "source"
    source.mkdir(parents=True)
    digest = _publish(SETS[name], source / "store")
    published = source / "store" / "packages" / digest.partition(":")[2] / SITE_PACKAGES
    site = source / "plain" / SITE_PACKAGES
    shutil.copytree(published, site)
    how = ("-q", "-j0", "--invalidation-mode=unchecked-hash")
    subprocess.run(
        [sys.executable, "-m", "compileall", *how, site],
        check=False,  # some sources are for other versions of Python
        stdout=subprocess.DEVNULL,
    )
    _archive(site, source / "zip")
    files = [path for path in published.rglob("*") if path.is_file()]
    zip_error = _error_of(["zip", str(source / "zip"), *SETS[name].modules])
    built = BuiltSet(
        source, digest, sum(path.stat().st_size for path in files), len(files), zip_error
    )
    stamp.write_text(json.dumps({**built._asdict(), "source": ""}), "utf-8")
    return built


def _publish(chosen: Set, store: Path) -> str:
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="wheels-") as folder:
        target = Target.running()
        wheels = get_wheels(REQUIREMENTS, target, installed_runtime(), Path(folder), Silent())
        kept = tuple(each for each in wheels if each.name.lower().startswith(chosen.wheels or ""))
        manifest, _ = publish_wheels(kept, open_store(store), target, Silent())
    return str(manifest.digest)


def _archive(site: Path, folder: Path) -> None:
    """Write sources and bytecode to one uncompressed archive, other files next to it."""
    folder.mkdir()
    extensions = []
    with zipfile.ZipFile(folder / "code.zip", "w") as archive:
        for path in sorted(site.rglob("*")):
            relative = path.relative_to(site)
            if path.suffix == ".pyc" and path.parent.name == "__pycache__":
                name = f"{path.name.split('.')[0]}.pyc"
                archive.write(path, relative.parent.parent / name)
            elif path.suffix in _IN_ARCHIVE or ".dist-info/" in str(path):
                archive.write(path, relative)
            elif path.is_file():
                extensions.append(str(relative))
                place = folder / SITE_PACKAGES / relative
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, place)
    (folder / "extensions.txt").write_text("\n".join(extensions), "utf-8")


def run_here(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Import from local disk, in a separate process (bench/cold_workers/imports.py)."""
    return subprocess.run(
        [sys.executable, str(WORKERS / "imports.py"), *arguments],
        env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def _error_of(arguments: Sequence[str]) -> str | None:
    """Return the last line of the error if importing this way fails, else None."""
    done = run_here(arguments)
    return done.stderr.strip().splitlines()[-1] if done.returncode else None
