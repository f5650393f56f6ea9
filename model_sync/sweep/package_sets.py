"""Sweep package sets: mark those that no version pins, and delete them a day later.

The marks are in package_sets/unused_marks.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from model_store.digests import ALGORITHM, Digest
from model_store.documents import timestamp
from model_store.layout import UNUSED
from model_store.reading import list_models, read_upward, read_version
from model_store.refs import State
from model_sync.package_sets.unused_marks import (
    claim,
    claimed_at,
    delete_claimed,
    mark_unused,
    unmark,
    unused_since,
)
from model_sync.store_io.trash import names_in, size_of
from model_sync.sweep.plan import SetFacts, plan_sets

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_sync.sweep.run import Sweep

_PACKAGES: Final = "packages"
_DIGITS: Final = re.compile(r"[0-9a-f]{64}")


def sweep_sets(sweep: Sweep) -> None:
    """Sweep the package sets. Raises StoreError if a version's pin cannot be read."""
    root = sweep.layout.root
    names = {*names_in(root, _PACKAGES), *names_in(root, _PACKAGES, UNUSED)}
    digests = [Digest(ALGORITHM, name) for name in sorted(names) if _DIGITS.fullmatch(name)]
    if not digests:
        return
    pinned = pinned_sets(sweep.layout)
    sets = {}
    for digest in digests:
        with sweep.step(f"{_PACKAGES}/{digest.hex}"):
            sets[digest.hex] = SetFacts(
                pinned=digest in pinned,
                unused_since=unused_since(sweep.layout, digest),
                claimed_s=claimed_at(sweep.layout, digest),
            )
    plan = plan_sets(sets, sweep.now_s)
    for digits in plan.delete:
        with sweep.step(f"{_PACKAGES}/{digits}"):
            _delete(sweep, Digest(ALGORITHM, digits), claimed=sets[digits].claimed_s is not None)
    if sweep.staging is None:
        return
    for digits in plan.mark:
        with sweep.step(f"{_PACKAGES}/{UNUSED}/{digits}"):
            digest = Digest(ALGORITHM, digits)
            mark_unused(sweep.layout, digest, sweep.staging, timestamp(sweep.now_s))
    for digits in plan.unmark:
        with sweep.step(f"{_PACKAGES}/{UNUSED}/{digits}"):
            unmark(sweep.layout, Digest(ALGORITHM, digits))


def pinned_sets(layout: StoreLayout) -> frozenset[Digest]:
    """Return the sets that versions pin, except deleted versions; raises StoreError."""
    pinned = set()
    for model in list_models(layout):
        refs = read_upward(layout.model(model))
        for entry in refs.versions.values() if refs else ():
            if entry.state is not State.DELETED:
                packages = read_version(layout, model, entry).content.packages
                if packages:
                    pinned.add(packages)
    return frozenset(pinned)


def _delete(sweep: Sweep, digest: Digest, *, claimed: bool) -> None:
    path = f"{_PACKAGES}/{digest.hex}"
    if sweep.staging is None:
        sweep.report.freed_bytes += size_of(sweep.layout.root, _PACKAGES, digest.hex)
        sweep.report.packages.append(str(digest))
        return
    if not claimed and not claim(sweep.layout, digest):
        return
    # A version committed before the claim is visible here; the publisher of one committed after
    # the claim sees the claim.
    if digest in pinned_sets(sweep.layout):
        unmark(sweep.layout, digest)
        return
    trashed = delete_claimed(sweep.layout, digest, sweep.trash)
    sweep.report.packages.append(str(digest))
    sweep.empty(path, *trashed)
