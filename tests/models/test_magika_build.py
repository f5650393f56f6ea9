"""build.py takes the model out of one wheel, whole, or says in one line why it cannot."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import magika
import pytest

from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SOURCE = ROOT / "models" / "magika"
PACKAGE = Path(magika.__file__).parent

KNOWN: dict[str, Any] = dict.fromkeys(["mime_type", "group", "description"])
KNOWN |= {"extensions": [], "is_text": True}
KNOWLEDGE = dict.fromkeys(["empty", "rst", "txt", "unknown", "nobody asks"], KNOWN)
CONFIG: dict[str, Any] = {"target_labels_space": ["rst"], "overwrite_map": {}}
MEMBERS = {
    "magika/models/standard_v3_3/model.onnx": "graph",
    "magika/models/standard_v3_3/config.min.json": json.dumps(CONFIG),
    "magika/config/content_types_kb.min.json": json.dumps(KNOWLEDGE),
    "magika-1.0.3.dist-info/METADATA": "Metadata-Version: 2.1\nName: magika\nVersion: 1.0.3\n",
    "magika-1.0.3.dist-info/WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n",
}


class Workshop:
    """A copy of the model's folder, with a registry that is a folder of wheels."""

    def __init__(self, folder: Path) -> None:
        self.model = folder / "magika"
        self.registry = folder / "registry"
        self.model.mkdir()
        self.registry.mkdir()
        for name in ("build.py", "wheel.txt"):
            shutil.copyfile(SOURCE / name, self.model / name)
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PIP_")},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.registry),
        }

    def offer(self, members: Mapping[str, str], platform: str = "any") -> str:
        """Put a wheel into the registry, and return its digest."""
        path = self.registry / f"magika-1.0.3-py3-none-{platform}.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in members.items():
                wheel.writestr(name, text)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def pin(self, *digests: str) -> None:
        hashes = " ".join(f"--hash=sha256:{digest}" for digest in digests)
        (self.model / "wheel.txt").write_text(f"magika==1.0.3 {hashes}\n")

    def build(self, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, str(self.model / "build.py")],
            env=environment or self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def fails_with(self, message: str) -> None:
        """Build, expecting exit code 1, one line that holds `message`, and nothing built."""
        code, out, err = self.build()
        assert (code, out) == (1, "")
        assert err.startswith("magika/build.py: ")
        assert message in err
        assert err.count("\n") == 1
        assert err.endswith("\n")
        assert not list(self.model.glob("build/*"))

    def built(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.model / "build").iterdir()}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


def test_the_pinned_wheel_holds_the_package_s_own_model(workshop: Workshop) -> None:
    assert workshop.build(environment=os.environ) == (0, "", "")
    built = workshop.built()
    folder = PACKAGE / "models" / "standard_v3_3"
    assert built.keys() == {"model.onnx", "config.min.json", "content_types.json"}
    assert built["model.onnx"] == (folder / "model.onnx").read_bytes()
    assert built["config.min.json"] == (folder / "config.min.json").read_bytes()
    assert json.loads(built["content_types.json"]) == package_s_content_types()


def package_s_content_types() -> dict[str, Any]:
    package = magika.Magika()
    labels = set(package.get_output_content_types()) - {"directory", "symlink"}
    labels |= {label for label in package.get_model_content_types() if label != "undefined"}
    return {
        str(label): {
            "description": known.description,
            "mime_type": known.mime_type,
            "group": known.group,
            "is_text": known.is_text,
            "extensions": known.extensions,
        }
        for label, known in package._cts_infos.items()
        if label in labels
    }


def test_building_again_gives_the_same_bytes_for_all_to_read(workshop: Workshop) -> None:
    workshop.pin(workshop.offer(MEMBERS))
    workshop.build()
    first = workshop.built()
    assert workshop.build() == (0, "", "")
    assert workshop.built() == first
    modes = {path.stat().st_mode & 0o777 for path in (workshop.model / "build").iterdir()}
    assert modes == {0o644}


def test_the_wheel_for_any_platform_is_taken_where_others_are_offered(workshop: Workshop) -> None:
    tag = "manylinux_2_17_x86_64" if sys.platform == "linux" else "macosx_11_0_universal2"
    other = workshop.offer(MEMBERS | {"magika/models/standard_v3_3/model.onnx": "other"}, tag)
    workshop.pin(workshop.offer(MEMBERS), other)
    assert workshop.build() == (0, "", "")
    assert workshop.built()["model.onnx"] == b"graph"


def test_gaps_in_the_table_get_the_package_s_defaults(
    import_file: Callable[[Path], Any],
) -> None:
    types = import_file(SOURCE / "build.py").content_types(KNOWLEDGE, CONFIG)
    assert types.keys() == {"empty", "rst", "txt", "unknown"}
    assert types["rst"]["description"] == "rst"
    assert types["rst"]["mime_type"] == "text/plain"
    assert types["rst"]["group"] == "unknown"


def test_a_wheel_of_another_digest_is_refused(workshop: Workshop) -> None:
    offered = workshop.offer(MEMBERS)
    workshop.pin("0" * 64)
    workshop.fails_with(f"the wheel offered has sha256 {offered}, which is not the one in wheel")


def test_a_wheel_without_the_model_is_refused(workshop: Workshop) -> None:
    model = "magika/models/standard_v3_3/model.onnx"
    workshop.pin(workshop.offer({k: v for k, v in MEMBERS.items() if k != model}))
    workshop.fails_with(f"magika-1.0.3-py3-none-any.whl has no {model}")


def test_a_registry_out_of_reach_is_an_error(workshop: Workshop) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        del workshop.environment["PIP_NO_INDEX"]
        workshop.environment["PIP_INDEX_URL"] = f"http://127.0.0.1:{port}/simple"
        workshop.environment["PIP_RETRIES"] = "1"
        workshop.fails_with("Could not find a version")


def test_a_failed_build_leaves_the_files_of_the_last_one(workshop: Workshop) -> None:
    (workshop.model / "build").mkdir()
    (workshop.model / "build" / "model.onnx").write_bytes(b"graph of last time")
    workshop.offer(MEMBERS)
    workshop.pin("0" * 64)
    assert workshop.build()[0] == 1
    assert workshop.built() == {"model.onnx": b"graph of last time"}
