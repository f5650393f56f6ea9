"""Compare a new signature with the old one, and refuse changes that break callers.

Existing callers keep working if the new signature accepts every request that the old one accepts,
and every answer under the new signature is valid under the old one. So inputs may accept more, and
outputs may promise more; every other difference breaks some caller:

| | an input | an output |
|---|---|---|
| gone, or renamed | breaks | breaks |
| new | breaks: callers do not send it | does not |
| another datatype, another rank, another fixed dimension | breaks | breaks |
| a dimension or the rank was fixed, is dynamic | does not | breaks: callers counted on it |
| a dimension or the rank was dynamic, is fixed | breaks | does not |
| another order | does not: the protocol names tensors | does not |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.errors import DamagedError, NotFoundError
from model_store.reading import read_version
from model_store.signature import DYNAMIC
from model_sync.errors import SignatureError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from model_store.signature import Signature, TensorSpec

ALLOW: Final = "--allow-signature-change"
_MAX_LISTED: Final = 8

_INPUT, _OUTPUT = "input", "output"


class Difference(NamedTuple):
    """One difference as a line of text; `breaks`: True if it breaks callers."""

    text: str
    breaks: bool


def check_signature_change(
    layout: StoreLayout, refs: Refs, label: str, new: Signature, *, allowed: bool
) -> tuple[str, ...]:
    """Return a line for each difference between `new` and the version that `label` names.

    Return () if the label names none. Unless `allowed`, raises SignatureError if callers of that
    version would break, or if its manifest is damaged, so that nothing can be compared.
    """
    number = refs.labels.get(label)
    if number is None:
        return ()
    served = f"version {number}, which {label!r} of {refs.model!r} names"
    try:
        old = read_version(layout, refs.model, refs.versions[number]).signature
    except (DamagedError, NotFoundError) as error:
        if allowed:
            return (f"the signature is not compared with that of {served}: {error}",)
        raise SignatureError(
            f"the signature cannot be compared with that of {served}: {error}: "
            f"repair that version, or publish with {ALLOW}"
        ) from error
    differences = compare(old, new)
    breaking = [each.text for each in differences if each.breaks]
    if breaking and not allowed:
        more = len(breaking) - _MAX_LISTED
        listed = "; ".join(breaking[:_MAX_LISTED]) + (f" (and {more} more)" if more > 0 else "")
        raise SignatureError(
            f"callers of {served}, would be broken: {listed}: "
            f"publish it under another label, or with {ALLOW}"
        )
    return tuple(
        f"unlike {served}: {each.text} ({'breaks callers' if each.breaks else 'breaks no caller'})"
        for each in differences
    )


def compare(old: Signature, new: Signature) -> tuple[Difference, ...]:
    """Return all differences, those that break callers first; () for equal signatures. Pure."""
    found = [
        *_compare_side(_INPUT, old.inputs, new.inputs),
        *_compare_side(_OUTPUT, old.outputs, new.outputs),
    ]
    return tuple(sorted(found, key=lambda difference: not difference.breaks))


def _compare_side(
    side: str, old: tuple[TensorSpec, ...], new: tuple[TensorSpec, ...]
) -> Iterator[Difference]:
    before = {spec.name: spec for spec in old}
    after = {spec.name: spec for spec in new}
    for name, spec in before.items():
        if name in after:
            yield from _compare_tensor(side, spec, after[name])
        else:
            yield Difference(f"{side} {name!r} is gone, or renamed", breaks=True)
    for name in after:
        if name not in before:
            yield Difference(f"{side} {name!r} is new", breaks=side == _INPUT)
    if [name for name in before if name in after] != [name for name in after if name in before]:
        yield Difference(f"the {side}s come in another order", breaks=False)


def _compare_tensor(side: str, old: TensorSpec, new: TensorSpec) -> Iterator[Difference]:
    what = f"{side} {old.name!r}"
    if old.datatype != new.datatype:
        yield Difference(f"{what} was {old.datatype}, is {new.datatype}", breaks=True)
    if old.shape != new.shape:
        narrow, wide = (old.shape, new.shape) if side == _INPUT else (new.shape, old.shape)
        text = f"{what} had shape {_show_shape(old.shape)}, has {_show_shape(new.shape)}"
        yield Difference(text, breaks=not _is_within(narrow, wide))


def _is_within(narrow: tuple[int, ...] | None, wide: tuple[int, ...] | None) -> bool:
    """Return True if every tensor of shape `narrow` also has shape `wide`."""
    if wide is None:
        return True
    if narrow is None or len(narrow) != len(wide):
        return False
    return all(many in {one, DYNAMIC} for one, many in zip(narrow, wide, strict=True))


def _show_shape(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "of any rank"
    return f"[{', '.join('any' if size == DYNAMIC else str(size) for size in shape)}]"
