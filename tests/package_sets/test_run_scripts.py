"""`python -m inference run`: as Python itself would, with the packages of a model beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import zipfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from inference.__main__ import main
from model_store.package_set import SITE_PACKAGES, Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.support.commands import Ended, run
from tests.support.models import write_adder
from tests.support.packaged_models import MODEL, write_greeter
from tests.support.stores import point_latest
from tests.support.wheels import offer_wheels, write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAYS: dict[str, str] = {
    "greeting/__init__.py": "import numpy\nBROUGHT = numpy.__file__\n",
    "greeting/__main__.py": "import sys\nfrom . import __file__ as f\nprint(sys.argv[1:], f)\n",
    "failing.py": "def fail(what):\n    raise ValueError(what)  # as main() catches them\n",
    "numpy/__init__.py": "raise ImportError('the runtime is found first')\n",
}
ABOUT = """\
import json, sys
main = sys.modules["__main__"]
said = {name: repr(value) for name, value in globals().items() if name not in HIDDEN}
print(json.dumps([sys.argv, sys.path[0], main.__dict__ is globals(), said]))
"""
HIDDEN = ("__annotations__", "__builtins__", "__loader__", "HIDDEN", "main", "said", "sys", "json")


class Store(NamedTuple):
    """A store with a version that pins a set and `latest` names, one that pins none, and a set."""

    root: Path
    digest: str
    site: Path


@pytest.fixture(scope="module")
def script_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("run")
    layout = open_store(folder / "store")
    wheels = folder / "wheels"
    with pytest.MonkeyPatch.context() as patch:
        offer_wheels(patch, wheels)
        publish(
            write_greeter(folder / MODEL, wheels, "greeter_pkg"), layout.root, progress=Silent()
        )
    adder = write_adder(folder / "adder", 1.0).parent
    publish(adder, layout.root, name=MODEL, progress=Silent())
    wheel = write_wheel(folder, "greeting", files=SAYS)
    manifest, _ = publish_wheels((wheel,), layout, Target.running(), Silent())
    point_latest(layout.root, 1, MODEL)
    site = layout.package_set(manifest.digest) / SITE_PACKAGES
    yield Store(layout.root, str(manifest.digest), site)
    assert not list(layout.root.rglob("__pycache__"))


def program(store: Store, *words: str | Path, **more: Any) -> Ended:
    """Run a program with the set alone."""
    return run("run", "--store", store.root, "--set", store.digest[:20], *words, **more)


def script(folder: Path, text: str, name: str = "script.py") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("reference", ["greeter", "greeter:latest", "greeter@1"])
def test_a_script_imports_what_the_named_version_pins(script_store: Store, reference: str) -> None:
    code = "import greeter_pkg; print(greeter_pkg.GREETING)"
    ended = run("run", "--store", script_store.root, reference, "-c", code)
    assert ended == (0, "greeter_pkg 1.0\n", "")


def test_a_version_without_packages_has_what_the_runtime_brings(script_store: Store) -> None:
    code = "import importlib.util as u, numpy; print(numpy.ndim(1), u.find_spec('greeter_pkg'))"
    ended = run("run", "--store", script_store.root, "greeter@2", "-c", code)
    assert ended == (0, "0 None\n", "")


def test_the_model_is_not_loaded_and_what_the_runtime_brings_is_found_first(
    script_store: Store,
) -> None:
    code = (
        "import sys; print('onnxruntime' in sys.modules, 'numpy' in sys.modules);"
        "import greeting; print(greeting.__file__, greeting.BROUGHT, sys.path[-1], sep='\\n');"
        "print(type(greeting.__spec__.loader).__name__)"
    )
    ended = program(script_store, "-c", code)
    early, file, brought, last, loader = ended.out.splitlines()
    assert early == "False False"
    assert file == f"{script_store.site}/greeting/__init__.py"
    assert not brought.startswith(str(script_store.site))
    assert last == str(script_store.site)
    assert loader == "_IndexedLoader"


def about(ended: Ended) -> Any:
    assert (ended.code, ended.err) == (0, "")
    return json.loads(re.sub(r"0x[0-9a-f]+", "0x", ended.out))  # where an object lies


@pytest.mark.parametrize("kind", ["file", "link", "folder", "zip", "-", "-c", "-m"])
def test_main_is_what_python_makes_of_it(script_store: Store, tmp_path: Path, kind: str) -> None:
    text = f"HIDDEN = {HIDDEN}\n{ABOUT}"
    path = script(tmp_path / "scripts", text, "mine.py")
    words: list[str | Path] = [path.relative_to(tmp_path)]
    stdin = ""
    if kind == "link":
        words = [tmp_path / "link.py"]
        (tmp_path / "link.py").symlink_to(path)
    elif kind == "folder":
        words = [script(tmp_path / "app", text, "__main__.py").parent]
    elif kind == "zip":
        words = [tmp_path / "app.zip"]
        with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
            archive.writestr("__main__.py", text)
    elif kind == "-":
        words, stdin = ["-"], text
    elif kind == "-c":
        words = ["-c", text]
    elif kind == "-m":
        words = ["-m", "scripts.mine"]
    words += ["first", "--store", "-c", ""]
    ours = about(program(script_store, *words, cwd=tmp_path, stdin=stdin))
    theirs = about(run(*words, cwd=tmp_path, module=(), stdin=stdin))
    assert ours == theirs
    assert ours[0][1:] == ["first", "--store", "-c", ""]


def test_a_module_of_the_set_runs_as_main(script_store: Store) -> None:
    ended = program(script_store, "-m", "greeting", "-x")
    assert ended == (0, f"['-x'] {script_store.site}/greeting/__init__.py\n", "")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", (7, "", "")),
        ("import sys; sys.exit('a reason')", (1, "", "a reason\n")),
        ("import atexit; atexit.register(print, 'last')", (0, "last\n", "")),
    ],
)
def test_a_program_ends_with_its_own_exit_code(
    script_store: Store, code: str, expected: tuple[int, str, str]
) -> None:
    assert program(script_store, "-c", code) == expected


@pytest.mark.parametrize(
    "text",
    [
        "import failing\ndef call():\n    failing.fail('x')\ncall()\n",
        "def broken(:\n",
        "import sys\nsys.excepthook = lambda kind, value, frames: print(kind, value)\n1 / 0\n",
        "raise KeyboardInterrupt\n",
    ],
)
def test_what_is_uncaught_is_shown_as_python_shows_it(
    script_store: Store, tmp_path: Path, text: str
) -> None:
    path = script(tmp_path, text)
    ours = program(script_store, path)
    plain = {"PYTHONPATH": str(script_store.site), "PYTHONDONTWRITEBYTECODE": "1"}
    theirs = run(path, module=(), env=plain)
    assert theirs.code == (-signal.SIGINT if "Keyboard" in text else 1)
    assert ours == theirs._replace(code=130 if "Keyboard" in text else 1)


def test_a_module_that_is_not_there_is_told_in_a_line(script_store: Store) -> None:
    ended = program(script_store, "-m", "nosuch")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.endswith(": No module named nosuch\n")


def test_pickling_and_other_processes_find_main(script_store: Store, tmp_path: Path) -> None:
    text = """\
import multiprocessing, pickle, sys
import greeting

class Mine:
    pass

def other(number):
    import greeting
    return number + 1, greeting.__file__, type(pickle.loads(pickle.dumps(Mine()))).__name__

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        with multiprocessing.get_context(method).Pool(1) as pool:
            assert pool.map(other, [1]) == [(2, greeting.__file__, "Mine")], method
    print("both")
"""
    assert program(script_store, script(tmp_path, text)) == (0, "both\n", "")
    # No process wrote bytecode into what is published: the store's fixture looks at its end.


@pytest.mark.parametrize("inherited", ["", "/nowhere"])
def test_a_python_that_is_started_anew_finds_the_set(script_store: Store, inherited: str) -> None:
    text = """\
import os, subprocess, sys
code = "import failing; print(failing.__file__)"
subprocess.run([sys.executable, "-c", code], check=True, cwd="/")
print(os.environ["PYTHONPATH"])
"""
    env = {"PYTHONPATH": inherited} if inherited else {}
    ended = program(script_store, "-c", text, env=env)
    path = f"{inherited}:{script_store.site}" if inherited else f"{script_store.site}"
    assert ended == (0, f"{script_store.site}/failing.py\n{path}\n", "")


def test_a_set_that_is_imported_without_its_index_is_noted(script_store: Store) -> None:
    code = "import greeting; print(type(greeting.__spec__.loader).__name__)"
    ended = run("run", "--store", script_store.root, "--set", script_store.digest, "-c", code,
                module=("-O", "-m", "inference"))  # fmt: skip
    assert (ended.code, ended.out) == (0, "SourceFileLoader\n")
    (line,) = ended.err.splitlines()
    assert line.startswith("note: the set is imported without its index, slower: its code is ")
    assert line.endswith("and this Python runs with -O")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nosuch", "-c", ""), "no model is named 'nosuch'"),
        (("No Such", "-c", ""), "'No Such' is refused"),
        (("greeter@9", "-c", ""), "model 'greeter' has no version 9"),
        (("greeter@x", "-c", ""), "expected NAME, NAME@7 or NAME:label"),
        (("greeter:blue", "-c", ""), "model 'greeter' has no label 'blue'; it has latest"),
        (("greeter", "/nosuch/script.py"), "/nosuch/script.py: No such file or directory"),
        (("--set", "abc123", "-c", ""), "begins with abc123"),
        (("--set", "xyz", "-c", ""), "is no digest of a package set"),
    ],
)
def test_what_cannot_begin_is_told_in_one_line(
    script_store: Store, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--store", str(script_store.root), *words]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch("error: [^\n]+\n", err)
    assert said in err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("greeter",),
        ("greeter", "-c"),
        ("greeter", "-m"),
        ("greeter", "--debug", "script.py"),
        ("greeter", ""),
        ("-c", "1"),
        ("--set", "abc"),
        ("--set", "abc", "-c"),
    ],
)
def test_what_names_no_program_is_a_usage_error(
    script_store: Store, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--store", str(script_store.root), *words])
    assert ended.value.code == 2
    assert "usage: python -m inference run" in capsys.readouterr().err


def test_a_missing_store_is_out_of_reach(tmp_path: Path) -> None:
    assert main(["run", "--store", str(tmp_path / "nowhere"), "greeter", "-c", ""]) == 3


def test_a_store_named_by_a_relative_path_is_found_after_the_script_went_elsewhere(
    script_store: Store, tmp_path: Path
) -> None:
    text = "import os\nos.chdir('/')\nimport greeting\nprint(greeting.__file__)\n"
    relative = os.path.relpath(script_store.root, tmp_path)
    ended = run("run", "--store", relative, "--set", script_store.digest, script(tmp_path, text),
                cwd=tmp_path)  # fmt: skip
    assert ended == (0, f"{script_store.site}/greeting/__init__.py\n", "")
