"""Hypothesis strategies: documents that are right, in all their variety.

Texts of a document are drawn from all Unicode that UTF-8 can encode, with control characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from model_store.digests import Digest
from model_store.files import FileEntry
from model_store.package_set import PackageSetManifest, Target, Wheel
from model_store.preparation import PreparationManifest
from model_store.recorded_imports import MOST_BLOCKS, RecordedFile
from model_store.refs import Change, Hold, Refs, State, VersionEntry
from model_store.signature import DATATYPES, Signature, TensorSpec
from model_store.variant import Measurement, Variant
from model_store.version import GoldenCases, VersionContent, VersionManifest
from tests.support.examples import examples

if TYPE_CHECKING:
    from model_store.chunks import ChunkRanges

untimed = examples(100)
"""A deadline per example would be a timed assertion."""
fewer = examples(25)
"""For examples that take long to make."""

texts = st.text(max_size=12)
names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,15}", fullmatch=True)
runtime_keys = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,15}", fullmatch=True)
ids = st.tuples(
    st.integers(0, 10**8 - 1), st.integers(0, 10**6 - 1), st.integers(0, 16**12 - 1)
).map(lambda parts: "{:08d}T{:06d}Z-{:012x}".format(*parts))
times = st.datetimes().map(lambda when: f"{when.replace(microsecond=0).isoformat()}Z")
digests = st.binary(max_size=8).map(Digest.of_bytes)
sizes = st.integers(0, 2**63)
numbers = st.floats(0, allow_nan=False, allow_infinity=False)

_components = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/\\"),
    min_size=1,
    max_size=12,
).filter(lambda text: text not in {".", ".."})
relative_paths = st.lists(_components, min_size=1, max_size=4).map("/".join)

files = st.lists(
    st.builds(FileEntry, relative_paths, sizes, digests),
    min_size=1,
    max_size=5,
    unique_by=lambda entry: entry.path,
).map(lambda entries: tuple(sorted(entries)))

_specs = st.lists(
    st.builds(
        TensorSpec,
        texts,
        st.sampled_from(sorted(DATATYPES)),
        st.none() | st.lists(st.integers(-1, 2**40), max_size=4).map(tuple),
    ),
    max_size=3,
    unique_by=lambda spec: spec.name,
).map(tuple)
signatures = st.builds(Signature, _specs, _specs)


@st.composite
def _contents(draw: st.DrawFn) -> VersionContent:
    entries = draw(files)
    paths = st.sampled_from([entry.path for entry in entries])
    return VersionContent(
        files=entries,
        model_file=draw(paths),
        pipeline_file=draw(st.none() | paths),
        golden=draw(
            st.builds(GoldenCases, st.lists(texts, max_size=3).map(tuple), numbers, numbers)
        ),
        packages=draw(st.none() | digests),
    )


contents = _contents()
version_manifests = st.builds(VersionManifest, names, ids, times, signatures, contents)


@st.composite
def _measured(draw: st.DrawFn) -> Measurement:
    resident = draw(sizes)
    mapped = draw(st.integers(0, resident))
    times_ms = draw(numbers), draw(numbers), draw(numbers)
    return Measurement(*times_ms, draw(sizes), resident, mapped)


_measurements = _measured()
_configs = st.dictionaries(texts, texts, max_size=3)


_chunks = st.dictionaries(
    texts, st.lists(digests.map(lambda each: each.hex), min_size=2, max_size=3).map(tuple)
)


@st.composite
def _ranges(draw: st.DrawFn, numbers: st.SearchStrategy[int] = sizes) -> ChunkRanges:
    at, found = 0, []
    for skipped, count in draw(st.lists(st.tuples(numbers, numbers), max_size=3)):
        found.append((at + skipped, count + 1))
        at += skipped + count + 2
    return tuple(found)


_imports = st.lists(
    st.builds(RecordedFile, relative_paths, _ranges(st.integers(0, MOST_BLOCKS // 8))),
    max_size=3,
    unique_by=lambda recorded: recorded.path,
).map(tuple)
_recordings = st.dictionaries(texts, _ranges(), max_size=2)


@st.composite
def _preparations(draw: st.DrawFn) -> PreparationManifest:
    variants = draw(
        st.lists(
            st.builds(
                Variant,
                texts.filter(lambda name: name != "chosen"),
                relative_paths,
                _configs,
                st.none() | _measurements,
                st.booleans(),
                st.just(()),
                st.none() | texts,
                sizes,
                _recordings,
            ),
            max_size=2,
            unique_by=lambda variant: variant.name,
        ).map(tuple)
    )
    chosen = Variant(
        "chosen", draw(relative_paths), draw(_configs), draw(_measurements), draw(st.booleans())
    )
    sizes_and_digests = draw(sizes), draw(digests)
    chosen = chosen._replace(files=(FileEntry(chosen.graph, *sizes_and_digests),))
    return PreparationManifest(
        model=draw(names),
        id=draw(ids),
        version_id=draw(ids),
        version_digest=draw(digests),
        runtime=draw(runtime_keys),
        created_at=draw(times),
        chosen=chosen.name,
        why=draw(texts),
        variants=(*variants, chosen),
        replacement=draw(st.none() | st.just(chosen.name)),
        chunks=draw(_chunks),
        imports=draw(_imports),
    )


preparation_manifests = _preparations()

_wheels = st.lists(
    st.builds(Wheel, texts, texts, digests), max_size=3, unique_by=lambda wheel: wheel.name
).map(lambda wheels: tuple(sorted(wheels)))
package_sets = st.builds(
    PackageSetManifest, st.builds(Target, texts, texts), _wheels, sizes, sizes, digests, times,
    st.booleans(), sizes, sizes, st.none() | digests,
)  # fmt: skip

_entries = st.builds(
    VersionEntry,
    id=ids,
    state=st.sampled_from(State),
    digest=digests,
    size_bytes=sizes,
    published_at=times,
    preparations=st.dictionaries(runtime_keys, ids, max_size=2),
    retired_at=st.none() | times,
    sweep_after=st.none() | times,
)
changes = st.builds(Change, texts, times, texts, texts)


@st.composite
def _refs(draw: st.DrawFn) -> Refs:
    versions = draw(st.dictionaries(st.integers(1, 10**6), _entries, max_size=3))
    known = st.sampled_from(sorted(versions)) if versions else st.nothing()
    labels = draw(st.dictionaries(names, known, max_size=3)) if versions else {}
    split = {label: draw(st.integers(0, 100 // len(labels))) for label in labels}
    holds = st.dictionaries(texts, st.builds(Hold, known, times), max_size=2)
    return Refs(
        model=draw(names),
        model_id=draw(texts),
        generation=draw(st.integers(1, 10**9)),
        writer=draw(texts),
        next_version=max(versions, default=0) + draw(st.integers(1, 5)),
        labels=labels,
        split=split,
        versions=versions,
        holds=draw(holds) if versions else {},
        change=draw(changes),
    )


refs = _refs()

of_each_kind: dict[str, st.SearchStrategy[Any]] = {
    "refs": refs,
    "version": version_manifests,
    "preparation": preparation_manifests,
    "package_set": package_sets,
}
