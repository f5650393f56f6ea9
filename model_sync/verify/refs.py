"""Check a model's refs: every generation can be read, and agrees with the newest.

Each damaged file is reported in a line. The newest generation that can be read is used for further
checks. An outdated `refs.json` is no damage: the next change of the model updates it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.documents import MAX_DOCUMENT_BYTES
from model_store.errors import DamagedError, InvalidNameError, StoreError, StoreUnreachableError
from model_store.files import read_beneath
from model_store.reading import read_generation, read_model_id
from model_store.refs import Refs, State
from model_sync.progress import Silent
from model_sync.store_io.parallel import SharedProgress, in_parallel
from model_sync.verify.folder_check import mode_fault, spelled

if TYPE_CHECKING:
    from model_store.layout import ModelLayout, StoreLayout

_GENERATION: Final = re.compile(r"([1-9][0-9]{0,17})\.json")


class RefsReport(NamedTuple):
    """The newest refs that can be read, and a line for each problem."""

    newest: Refs | None
    problems: tuple[str, ...]


def check_refs(layout: ModelLayout) -> RefsReport:
    """Read every generation, and MODEL.json. Damage is reported, and raises no error."""
    problems: list[str] = []
    try:
        # Listed first: reading upward finds the generations that are added later.
        numbers = _list_generations(layout, problems)
        installed = _read_installed(layout, problems)
        newest = _find_newest(layout, numbers, installed)
        if newest is None:
            return RefsReport(None, tuple(problems) or ("no generation of its refs can be read",))
        _check_generations(layout, newest, max({newest.generation, *numbers}), problems)
        committed = _read(layout, installed.generation) if installed else None
        if committed and installed != committed:
            problems.append(f"{layout.refs_json} differs from its generation in refs/")
        _check_model_id(layout, newest, problems)
        _check_modes(layout, problems)
    except OSError as error:
        problems.append(f"{layout.folder} cannot be read: {error.strerror}")
        return RefsReport(None, tuple(problems))
    return RefsReport(newest, tuple(sorted(problems)))


def model_names(layout: StoreLayout) -> tuple[str, ...]:
    """Return the models that have any generation, readable or not.

    Raises StoreUnreachableError if `models/` cannot be listed.
    """
    try:
        names = sorted(path.name for path in layout.models.iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreUnreachableError(f"{layout.models} cannot be listed: {error}") from error
    return tuple(name for name in names if _is_model(layout, name))


def has_refs(layout: ModelLayout) -> bool:
    """Return True if a model has any generation of refs. A model being published has none yet."""
    try:
        return layout.refs_json.exists() or any(layout.refs_folder.iterdir())
    except OSError:
        return False


def _is_model(layout: StoreLayout, name: str) -> bool:
    try:
        return has_refs(layout.model(name))
    except InvalidNameError:
        return False


def _list_generations(layout: ModelLayout, problems: list[str]) -> set[int]:
    """Return the numbers of the files in refs/; report any other name."""
    if layout.refs_folder.is_symlink():
        problems.append(f"{layout.refs_folder} is a link: nothing below a store's root is one")
        return set()
    try:
        names = sorted(path.name for path in layout.refs_folder.iterdir())
    except FileNotFoundError:
        problems.append(f"{layout.refs_folder} is missing")
        return set()
    matches = {name: _GENERATION.fullmatch(name) for name in names}
    for name, match in matches.items():
        if match is None:
            problems.append(f"{spelled(layout.refs_folder / name)} is not a generation of refs")
    return {int(match[1]) for match in matches.values() if match}


def _read_installed(layout: ModelLayout, problems: list[str]) -> Refs | None:
    """Return the refs of refs.json; None if it is damaged, or missing after a crash."""
    path = layout.refs_json
    try:
        data = read_beneath(layout.root, str(path.relative_to(layout.root)), MAX_DOCUMENT_BYTES)
        return Refs.parse(data, str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}")
    except StoreError as error:
        problems.append(str(error))
    return None


def _find_newest(layout: ModelLayout, numbers: set[int], installed: Refs | None) -> Refs | None:
    """Return the newest refs that can be read, of the listed and later generations and refs.json.

    Refs with the id in MODEL.json are preferred: a writer that died may have left others.
    """
    model_id = _model_id(layout)
    best = installed
    for number in sorted(numbers, reverse=True):
        refs = _read(layout, number)
        if refs and _rank(refs, model_id) > _rank(best, model_id):
            best = refs
        if best and best.model_id == model_id and best.generation >= number:
            break
    while best and (later := _read(layout, best.generation + 1)):
        if later.model_id != best.model_id:
            break
        best = later
    return best


def _rank(refs: Refs | None, model_id: str | None) -> tuple[bool, int]:
    return (False, 0) if refs is None else (refs.model_id == model_id, refs.generation)


def _model_id(layout: ModelLayout) -> str | None:
    try:
        return read_model_id(layout)
    except StoreError:
        return None


def _check_generations(
    layout: ModelLayout, newest: Refs, highest: int, problems: list[str]
) -> None:
    def check(number: int) -> None:
        try:
            refs = read_generation(layout, number)
            if refs is None:
                raise DamagedError(f"{layout.generation(number)} is missing")
            problems.extend(
                f"{layout.generation(number)}: {fault}" for fault in disagreements(refs, newest)
            )
        except StoreError as error:
            problems.append(str(error))

    in_parallel(check, range(1, highest + 1), SharedProgress(Silent()))


def disagreements(refs: Refs, newest: Refs) -> list[str]:
    """Return the contradictions between an earlier generation and the newest, a line each. Pure."""
    if refs.model_id != newest.model_id:
        return [f"its model id is {refs.model_id}, the newest has {newest.model_id}"]
    faults = []
    if refs.generation < newest.generation and refs.next_version > newest.next_version:
        faults.append("its next_version is above that of the newest")
    for number, entry in sorted(refs.versions.items()):
        last = newest.versions.get(number)
        if last is None:
            continue
        if (entry.id, entry.digest) != (last.id, last.digest):
            faults.append(f"its version {number} differs from version {number} of the newest")
        elif entry.state is State.DELETED and last.state is not State.DELETED:
            faults.append(f"its version {number} is deleted, but {last.state} in the newest")
    return faults


def _check_model_id(layout: ModelLayout, newest: Refs, problems: list[str]) -> None:
    try:
        model_id = read_model_id(layout)
    except StoreError as error:
        problems.append(str(error))
        return
    if model_id != newest.model_id:
        problems.append(f"{layout.model_json} has the id {model_id}, refs have {newest.model_id}")


def _check_modes(layout: ModelLayout, problems: list[str]) -> None:
    folders = layout.folder, layout.refs_folder, layout.versions, layout.preparations
    for path in (*folders, layout.refs_json, layout.model_json, *layout.refs_folder.iterdir()):
        try:
            fault = mode_fault(path, path.lstat().st_mode)
        except FileNotFoundError:
            continue
        if fault:
            problems.append(fault)


def _read(layout: ModelLayout, number: int) -> Refs | None:
    try:
        return read_generation(layout, number)
    except StoreError:
        return None
