from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.bundling.bytecode import find_interpreter
from infra.bundling.cached_folder import Built
from infra.bundling.layer import LIMIT_BYTES, LayerSpec, build_layer, check_fits
from infra.errors import BuildError
from infra.settings import Target
from tests.infra.wheels import make_source, make_wheel

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
X86 = Target(python=RUNNING, architecture="x86_64")
ARM = Target(python=RUNNING, architecture="arm64")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, and no other place where uv would look for any."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("UV_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    return folder


def spec(folder: Path, *pins: str, name: str = "layer", beside: Path | None = None) -> LayerSpec:
    requirements = folder / f"{name}.txt"
    requirements.write_text("".join(pins), "utf-8")
    return LayerSpec(name=name, requirements=requirements, beside=beside)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def refusal(layer: LayerSpec, cache: Path, target: Target = X86) -> str:
    with pytest.raises(BuildError) as refused:
        build_layer(layer, target, cache, None)
    assert "\n" not in str(refused.value)
    assert not [each for each in cache.glob("*") if each.is_dir()], "nothing is left behind"
    return str(refused.value)


def test_packages_lie_where_lambda_looks_for_them(tmp_path: Path, index: Path) -> None:
    built = build_layer(spec(tmp_path, make_wheel(index, "one")), X86, tmp_path / "cache", None)
    assert {each.name for each in built.folder.iterdir()} == {"python"}
    assert (built.folder / "python" / "one.py").is_file()
    assert built.size_bytes == sum(map(len, tree(built.folder).values()))


@pytest.mark.parametrize(("target", "machine"), [(X86, "x86_64"), (ARM, "aarch64")])
def test_wheels_are_the_targets_whatever_this_machine_is(
    tmp_path: Path, index: Path, target: Target, machine: str
) -> None:
    pins = {
        each: make_wheel(index, "one", tag=f"cp313-cp313-manylinux_2_28_{each}")
        for each in ("x86_64", "aarch64")
    }
    target = Target(python="3.13", architecture=target.architecture)
    digests = " ".join(pin.split()[1] for pin in pins.values())
    built = build_layer(spec(tmp_path, f"one==1.0 {digests}"), target, tmp_path / "cache", None)
    assert f"manylinux_2_28_{machine}" in (built.folder / "python" / "one.py").read_text()


def test_the_same_layer_is_the_same_bytes(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, *(make_wheel(index, name, script="run") for name in ("one", "two")))
    interpreter = find_interpreter(RUNNING)
    assert interpreter
    first, second = (
        tree(build_layer(layer, X86, tmp_path / name, interpreter).folder) for name in "ab"
    )
    assert first == second
    assert any(path.endswith(".pyc") for path in first)


def test_a_layer_is_built_once(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, make_wheel(index, "one"))
    built = build_layer(layer, X86, tmp_path / "cache", None)
    inode = built.folder.stat().st_ino
    next(index.iterdir()).unlink()
    again = build_layer(layer, X86, tmp_path / "cache", None)
    assert again == built
    assert again.folder.stat().st_ino == inode


def test_what_goes_into_a_layer_makes_it_another(tmp_path: Path, index: Path) -> None:
    one, two = make_wheel(index, "one"), make_wheel(index, "two")
    cache, interpreter = tmp_path / "cache", find_interpreter(RUNNING)
    beside = spec(tmp_path, two, name="beside").requirements
    layer = spec(tmp_path, one)
    built = [
        build_layer(layer, X86, cache, None),
        build_layer(layer, ARM, cache, None),
        build_layer(layer, Target(python="3.12", architecture="x86_64"), cache, None),
        build_layer(layer, X86, cache, interpreter),
        build_layer(spec(tmp_path, one, beside=beside), X86, cache, None),
        build_layer(spec(tmp_path, one, name="other"), X86, cache, None),
        build_layer(spec(tmp_path, one, two), X86, cache, None),
    ]
    assert len({each.folder for each in built}) == len(built)


def test_a_package_of_the_layer_beside_it_is_not_taken_again(tmp_path: Path, index: Path) -> None:
    pins = [make_wheel(index, "base"), make_wheel(index, "more", needs="base")]
    beside = spec(tmp_path, pins[0], name="beside")
    layer = spec(tmp_path, *pins, beside=beside.requirements)
    built = build_layer(layer, X86, tmp_path / "cache", None)
    assert {name for name in tree(built.folder) if name.endswith(".py")} == {"python/more.py"}


def test_scripts_which_name_this_machines_python_are_left_out(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, make_wheel(index, "one", script="run-one"))
    found = tree(build_layer(layer, X86, tmp_path / "cache", None).folder)
    assert not [path for path in found if "/bin/" in path or path.endswith(".lock")]
    assert b"run-one" not in found["python/one-1.0.dist-info/RECORD"]
    assert b"one.py" in found["python/one-1.0.dist-info/RECORD"]


def test_lambdas_user_can_read_it_whatever_the_umask(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, make_wheel(index, "one"))
    before = os.umask(0o077)
    try:
        built = build_layer(layer, X86, tmp_path / "cache", None)
    finally:
        os.umask(before)
    for path in (built.folder, *built.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)


def test_two_builds_at_once_make_one_whole_layer(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, *(make_wheel(index, f"package{n}") for n in range(5)))
    with ThreadPoolExecutor(2) as both:
        builds = [both.submit(build_layer, layer, X86, tmp_path / "cache", None) for _ in "ab"]
        first, second = (each.result() for each in builds)
    assert first == second
    assert len([path for path in tree(first.folder) if path.endswith(".py")]) == 5
    assert [each.name for each in (tmp_path / "cache").iterdir()] == [first.folder.name]


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "one")
    said = refusal(spec(tmp_path, f"one==1.0 --hash=sha256:{'0' * 64}\n"), tmp_path / "cache")
    assert "layer.txt" in said
    assert "one==1.0" in said
    assert "hash" in said.lower()


def test_a_requirement_without_a_hash_is_refused(tmp_path: Path, index: Path) -> None:
    make_wheel(index, "one")
    assert "hash" in refusal(spec(tmp_path, "one==1.0\n"), tmp_path / "cache")


def test_a_package_without_a_wheel_for_the_target_is_named(tmp_path: Path, index: Path) -> None:
    layer = spec(tmp_path, make_wheel(index, "one", tag="cp313-cp313-macosx_11_0_arm64"))
    said = refusal(layer, tmp_path / "cache")
    assert "one" in said
    assert f"Python {RUNNING} on x86_64-manylinux_2_28" in said


def test_nothing_is_built_from_source(tmp_path: Path, index: Path) -> None:
    ran = tmp_path / "ran"
    layer = spec(tmp_path, make_source(index, "one", runs=f"open({str(ran)!r}, 'w')"))
    assert "one" in refusal(layer, tmp_path / "cache")
    assert not ran.exists()


def test_a_registry_out_of_reach_is_one_clear_line(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = spec(tmp_path, make_wheel(index, "one"))
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")  # the discard port
    said = refusal(layer, tmp_path / "cache")
    assert "http://127.0.0.1:9/simple/one/" in said
    assert "refused" in said


def test_requirements_that_are_not_there_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.txt"
    assert str(missing) in refusal(
        LayerSpec(name="layer", requirements=missing), tmp_path / "cache"
    )


def test_without_uv_it_says_what_to_install(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = spec(tmp_path, make_wheel(index, "one"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refusal(layer, tmp_path / "cache") == "uv is missing: install requirements/infra.txt"


@pytest.mark.parametrize("over", [0, 1])
def test_a_function_may_be_as_large_as_lambda_takes_and_no_larger(over: int) -> None:
    parts = {
        "runtime layer": Built(Path(), LIMIT_BYTES - (1 << 20)),
        "code": Built(Path(), (1 << 20) + over),
    }
    if not over:
        assert check_fits("predict", parts) == 262_144_000
        return
    with pytest.raises(BuildError) as refused:
        check_fits("predict", parts)
    said = str(refused.value)
    assert said.startswith("the predict function is 250.0 MB unzipped (runtime layer 249.0 MB, ")
    assert "publish them as a package set" in said
    assert "\n" not in said
