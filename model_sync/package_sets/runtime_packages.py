"""The packages of the functions' runtime layer, which a package set must not contain as well.

The layer comes first on the import path. Another version in a set would never be imported, and
packages that depend on it would get a version for which they were not resolved, so such a set is
refused. A package in the same version is left out of the set.

For this process's own target, the versions are those that are installed; in a function, in its
layers. For another Python or processor, they are the pins that the layer is built from,
runtime_packages.txt.
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
"""The packages in requirements/function.in; the layer also contains their dependencies."""

PINS: Final = files("model_sync.package_sets") / "runtime_packages.txt"
"""The requirements that the runtime layer is built from; `make requirements` writes them."""


class Runtime(NamedTuple):
    """A runtime's target and packages: versions by canonical names."""

    target: Target
    packages: Mapping[str, str]

    @classmethod
    def here(cls) -> Self:
        """Return the runtime of this process."""
        return cls(Target.running(), installed_runtime())

    def packages_for(self, target: Target) -> Mapping[str, str]:
        """Return the runtime's packages for a target, also another one; raises PackagesError."""
        return self.packages if target == self.target else _pinned_for(target)

    def describe(self, *, python: str | None, platform: str | None) -> dict[str, Any]:
        """Return the packages for a target, as `packages constraints --json` prints them."""
        target = self.target.override(python=python, platform=platform)
        return {"target": target.to_json(), "constraints": dict(self.packages_for(target))}


def installed_runtime() -> dict[str, str]:
    """Return the versions of the runtime's packages in this process, by canonical names."""
    found: dict[str, str] = {}
    names = [*ROOTS]
    while names:
        name = names.pop()
        if name in found:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # excluded by a marker, or this environment only publishes
            continue
        found[name] = installed.version
        needed = (Requirement(text) for text in installed.requires or ())
        names += [canonical_name(each.name) for each in needed if _applies(each, {"extra": ""})]
    return dict(sorted(found.items()))


def leave_out_runtime_packages(
    wheels: tuple[Path, ...], runtime_packages: Mapping[str, str], requirements: Path
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return the wheels that a set contains, and the packages that it leaves out: `numpy 2.4.6`.

    Raises PackagesError if the requirements pin another version of a runtime package, or only
    runtime packages.
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
    """Raise PackagesError for a wheel of another name that contains a module of the runtime.

    The runtime's module would be imported instead. The runtime's modules are those of the packages
    that are installed in this process.
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
                f"{runtime_packages[other]}: imports find that one, so pin what needs {other} "
                "instead"
            )


def refuse_shadowed(
    described: PackageSetManifest, runtime_packages: Mapping[str, str], name: str
) -> None:
    """Raise PackagesError for a set with another version of a runtime package."""
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
            f"{name} pins {'; '.join(others)}: imports find the runtime's, so compile with `uv pip "
            "compile --constraint FILE`, FILE as `packages constraints` prints it"
        )


def _pinned_for(target: Target) -> dict[str, str]:
    try:
        lines = PINS.read_text("utf-8").splitlines()
    except OSError as error:
        raise PackagesError(
            f"the runtime's packages for Python {target.python} on {target.platform} cannot be "
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
