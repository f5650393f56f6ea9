"""What the functions bring themselves, in their layer: a package set must not bring it again.

It is found first, so another version in a set would never be imported, and its dependents would
meet a version that they were not resolved for: that is refused. The same version is left out.

Which versions: of the process that asks, what is installed, which in a function are its layers; for
another Python, or another processor, what the layer is built from, runtime_packages.txt.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from installer.utils import parse_wheel_filename
from packaging.requirements import Requirement
from packaging.version import Version

from model_store.package_set import Target
from model_sync.errors import PackagesError
from model_sync.package_sets.names import canonical_name
from model_sync.package_sets.top_modules import installed_top_modules, top_modules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from model_store.package_set import PackageSetManifest

ROOTS: Final = ("aws-lambda-powertools", "numpy", "onnxruntime", "orjson", "pybase64")
"""What requirements/function.in asks for; it brings what these need, too."""

PINS: Final = files("model_sync.package_sets") / "runtime_packages.txt"
"""The requirements that the runtime layer is built from; `make requirements` writes them."""


class Runtime(NamedTuple):
    """What runs somewhere, and which packages it brings there: versions by canonical names."""

    target: Target
    packages: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        """This process's own."""
        return cls(Target.running(), installed_runtime())

    def packages_for(self, target: Target) -> Mapping[str, str]:
        """What the runtime brings to a target, if need be another one; raises PackagesError."""
        return self.packages if target == self.target else _pinned_for(target)

    def describe(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """What it brings to a target, as `packages constraints --json` prints it."""
        target = self.target.asked(python=python, platform=platform)
        return {"target": target.to_json(), "constraints": dict(self.packages_for(target))}


def installed_runtime() -> dict[str, str]:
    """The versions of what this process has of the runtime, by canonical names."""
    found: dict[str, str] = {}
    names = [*ROOTS]
    while names:
        name = names.pop()
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # by a marker, or an environment that only publishes
            continue
        found[name] = installed.version
        needed = (Requirement(text) for text in installed.requires or ())
        names += [canonical_name(each.name) for each in needed if _applies(each, {"extra": ""})]
    return dict(sorted(found.items()))


def leave_out_runtime_packages(
    wheels: tuple[Path, ...], runtime_packages: Mapping[str, str], requirements: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The wheels that a set is to hold, and what it need not hold: `numpy 2.4.6`.

    Raises PackagesError: another version of what the runtime brings is pinned, or nothing else.
    """
    parsed = {wheel: parse_wheel_filename(wheel.name) for wheel in wheels}
    pinned = {wheel: (canonical_name(p.distribution), p.version) for wheel, p in parsed.items()}
    _refuse_others(dict(pinned.values()), runtime_packages, str(requirements))
    kept = tuple(wheel for wheel, (name, _) in pinned.items() if name not in runtime_packages)
    left = tuple(
        f"{name} {version}" for name, version in pinned.values() if name in runtime_packages
    )
    if not kept:
        raise PackagesError(
            f"{requirements} pins only what the runtime brings itself ({', '.join(left)}): "
            "nothing needs a package set"
        )
    return kept, left


def refuse_same_modules(
    wheels: tuple[Path, ...], runtime_packages: Mapping[str, str], requirements: Path
) -> None:
    """Refuse wheels of other names that bring a module of the runtime's: it is found first.

    Which modules these are, what is installed here says. Raises PackagesError.
    """
    runtime_modules = {
        module: each for each in runtime_packages for module in installed_top_modules(each)
    }
    for wheel in wheels:
        if shared := sorted(runtime_modules.keys() & top_modules_of(wheel)):
            parsed, other = parse_wheel_filename(wheel.name), runtime_modules[shared[0]]
            package = canonical_name(parsed.distribution)
            raise PackagesError(
                f"{requirements} pins {package} {parsed.version}, which "
                f"brings the module {shared[0]}, and so does the runtime's {other} "
                f"{runtime_packages[other]}: that is found first, so pin what needs {other} instead"
            )


def refuse_shadowed(
    described: PackageSetManifest, runtime_packages: Mapping[str, str], name: str
) -> None:
    """Refuse a set with another version of what the runtime brings; raises PackagesError."""
    _refuse_others({each.name: each.version for each in described.wheels}, runtime_packages, name)


def _refuse_others(
    pinned: Mapping[str, str], runtime_packages: Mapping[str, str], name: str
) -> None:
    others = [
        f"{package} {version}, where the runtime brings {runtime_packages[package]}"
        for package, version in sorted(pinned.items())
        if package in runtime_packages and Version(version) != Version(runtime_packages[package])
    ]
    if others:
        raise PackagesError(
            f"{name} pins {'; '.join(others)}: that is found first, so compile with `uv pip "
            "compile --constraint FILE`, FILE as `packages constraints` prints it"
        )


def _pinned_for(target: Target) -> dict[str, str]:
    try:
        lines = PINS.read_text("utf-8").splitlines()
    except OSError as error:
        raise PackagesError(
            f"what the runtime brings to Python {target.python} on {target.platform} cannot be "
            f"read: {error}"
        ) from error
    environment = {
        "python_version": target.python,
        "python_full_version": f"{target.python}.0",
        "platform_machine": target.machine,
        "sys_platform": "linux",
        "extra": "",
    }
    return dict(sorted(_pins(lines, environment)))


def _pins(lines: list[str], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        text = line.split("#")[0].strip().removesuffix("\\").strip()
        if not text or text.startswith("-"):
            continue
        requirement = Requirement(text)
        if _applies(requirement, environment):
            (pin,) = requirement.specifier
            yield canonical_name(requirement.name), pin.version


def _applies(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(dict(environment))
