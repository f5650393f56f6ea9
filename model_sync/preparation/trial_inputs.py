"""What a version is measured on: the tensors of its golden cases, or some made of its signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from inference.loading.golden_cases import request_of
from inference.protocol.requests import parse_infer_request
from model_sync.preparation.made_inputs import made_inputs

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from inference.loading.loaded_version import LoadedVersion
    from model_store.version import VersionContent

_MOST: Final = 2
"""Golden cases that are measured: the largest. All of them are held to their answers."""


def measured_inputs(
    loaded: LoadedVersion, folder: Path, content: VersionContent
) -> list[dict[str, NDArray[Any]]]:
    """The tensors to run, the largest first. Those that were made it may refuse: nobody said so."""
    cases = [_of_case(loaded, folder, content, case) for case in content.golden.cases]
    if cases:
        return sorted(cases, key=_size, reverse=True)[:_MOST]
    return [made_inputs(loaded.signature)]


def _of_case(
    loaded: LoadedVersion, folder: Path, content: VersionContent, case: str
) -> dict[str, NDArray[Any]]:
    request = request_of(folder, content, case)
    if loaded.pipeline is not None:
        return loaded.pipeline.decode(request)
    return parse_infer_request(request.body, loaded.signature).tensors


def _size(tensors: dict[str, NDArray[Any]]) -> int:
    return sum(tensor.size for tensor in tensors.values())
