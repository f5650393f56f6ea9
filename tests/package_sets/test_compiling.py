"""The modules of a set are compiled by several processes at once."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Final

import pytest

from model_store.module_index import CODE, INDEX, ModuleIndex
from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets import index
from model_sync.package_sets.index import write_index
from model_sync.progress import Silent
from tests.support.file_systems import files_end_at

if TYPE_CHECKING:
    from pathlib import Path

N_MODULES: Final = 128
"""Enough for two processes."""

WAITS: Final = """\
#!/bin/sh
# Is given all its paths before the other one has compiled anything.
cat > "$0.$$" && mv "$0.$$" "$0.$$.paths"
for attempt in $(seq 3000); do
    [ "$(ls "$0".*.paths | wc -l)" -ge 2 ] && exec PYTHON "$@" < "$0.$$.paths"
    sleep 0.01
done
echo "the other one was given nothing" >&2
exit 1
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules, and two processors."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    folder = tmp_path / "site-packages"
    folder.mkdir()
    for number in range(N_MODULES):
        (folder / f"module_{number}.py").write_text(f"VALUE = {number}\n")
    return folder


def write_script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def test_each_process_has_its_modules_while_the_other_is_at_work(
    tmp_path: Path, site: Path
) -> None:
    interpreter = write_script(tmp_path / "python", WAITS.replace("PYTHON", sys.executable))
    write_index(tmp_path, site, Target.running(), interpreter, Silent())
    names = ModuleIndex((tmp_path / INDEX).read_bytes(), INDEX).folder("")
    pieces = [found.code for found in names.values() if found.code]
    assert len(pieces) == len({piece.offset for piece in pieces}) == N_MODULES


def test_one_that_fails_ends_the_other(tmp_path: Path, site: Path) -> None:
    text = '#!/bin/sh\nmkdir "$0.first" || exec sleep 600\necho "no room" >&2\nexit 1\n'
    with pytest.raises(PackagesError, match=r"^the packages cannot be compiled: no room$"):
        write_index(
            tmp_path, site, Target.running(), write_script(tmp_path / "python", text), Silent()
        )


def test_what_the_system_refuses_a_process_is_told_as_if_it_had_been_refused_here(
    tmp_path: Path, site: Path
) -> None:
    with files_end_at(1000), pytest.raises(OSError, match="too large") as caught:
        write_index(tmp_path, site, Target.running(), sys.executable, Silent())
    assert caught.value.errno == errno.EFBIG


def test_one_that_does_not_end_is_ended(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_DEADLINE_S", 0.1)
    interpreter = write_script(tmp_path / "python", "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(PackagesError, match=r"64 modules took more than 0\.1 s: publish them from"):
        write_index(tmp_path, site, Target.running(), interpreter, Silent())


def test_a_packages_source_is_compiled_once(tmp_path: Path, site: Path) -> None:
    """It can be imported by its folder's name, and as `__init__` in it."""
    (site / "package").mkdir()
    (site / "package" / "__init__.py").write_text("VALUE = 1\n")
    write_index(tmp_path, site, Target.running(), sys.executable, Silent())
    index = ModuleIndex((tmp_path / INDEX).read_bytes(), INDEX)
    code = index.folder("")["package"].code
    assert code
    assert index.folder("package")["__init__"].code == code
    pieces = {found.code for found in index.folder("").values() if found.code}
    assert sum(piece.size_bytes for piece in pieces) == (tmp_path / CODE).stat().st_size
