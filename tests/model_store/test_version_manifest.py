from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store import documents
from model_store.digests import Digest
from model_store.errors import DamagedError
from model_store.files import FileEntry
from model_store.version import VersionManifest
from tests.support.documents import CONTENT, VERSION, as_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.version import VersionContent

OTHER = str(Digest.of_bytes(b"other"))


def _parse(document: dict[str, Any]) -> VersionManifest:
    return VersionManifest.parse(json.dumps(document).encode(), "manifest.json")


def _with_content(content: VersionContent) -> bytes:
    """A manifest whose digest follows from these contents."""
    return VERSION._replace(content=content).render()


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.update(digest=OTHER),
        lambda it: it["files"][0].update(digest=OTHER),
        lambda it: it["files"][0].update(size_bytes=3),
        lambda it: it["files"][0].update(path="golden/one/expected.jsom"),
        lambda it: it["files"].pop(0),
        lambda it: it.update(model_file="pipeline/pipeline.py"),
        lambda it: it.update(pipeline_file=None),
        lambda it: it["golden"].update(rtol=0.5),
        lambda it: it["golden"].update(atol=0.5),
        lambda it: it["golden"].update(cases=[]),
        lambda it: it.update(packages=OTHER),
        lambda it: it.update(packages=None),
    ],
    ids=[
        "digest", "file's digest", "file's size", "file's name", "file left out", "model file",
        "pipeline file", "rtol", "atol", "cases", "other packages", "no packages",
    ],
)  # fmt: skip
def test_a_digest_that_does_not_follow_from_the_contents_is_damage(
    change: Callable[[dict[str, Any]], object],
) -> None:
    document = as_json("version")
    change(document)
    with pytest.raises(DamagedError, match=r"manifest\.json is damaged: its contents do not match"):
        _parse(document)


def test_when_and_where_a_version_was_made_is_not_its_identity() -> None:
    document = {**as_json("version"), "model": "other", "created_at": "2027-01-01T00:00:00Z"}
    assert _parse(document).content.digest == CONTENT.digest


@pytest.mark.parametrize(
    "content",
    [
        CONTENT._replace(model_file="source/missing"),
        CONTENT._replace(pipeline_file="source/missing"),
    ],
    ids=["model", "pipeline"],
)
def test_a_model_or_pipeline_that_is_none_of_the_files_is_damage(content: VersionContent) -> None:
    data = _with_content(content)
    with pytest.raises(DamagedError, match="does not list source/missing"):
        VersionManifest.parse(data, "manifest.json")


@pytest.mark.parametrize(
    "path", ["../a", "/etc/passwd", "a/../../b", "", ".", "a\\b", "a\nb", "x" * 256]
)
def test_a_file_outside_the_folder_is_damage(path: str) -> None:
    document = as_json("version")
    document["files"] = [{**document["files"][0], "path": path}]
    with pytest.raises(DamagedError, match=r"manifest\.json: files: file path .* is refused"):
        _parse(document)


def test_files_out_of_order_or_named_twice_are_damage() -> None:
    first, second, *_ = CONTENT.files
    for files in [(second, first), (first, first), (first, second, first)]:
        data = _with_content(CONTENT._replace(files=files))
        with pytest.raises(DamagedError, match="not sorted by path, or names a path twice"):
            VersionManifest.parse(data, "manifest.json")


def test_a_file_that_is_not_listed_is_not_found() -> None:
    assert CONTENT.file("pipeline/pipeline.py").size_bytes == 0
    with pytest.raises(DamagedError, match=r"does not list pipeline\.py"):
        CONTENT.file("pipeline.py")


def test_the_size_is_that_of_all_files_together() -> None:
    empty = Digest.of_bytes(b"")
    files = (FileEntry("a", 3, empty), FileEntry("b", 2**62, empty))
    assert CONTENT._replace(files=files).size_bytes == 2**62 + 3
    assert CONTENT._replace(files=()).size_bytes == 0


def test_equal_contents_have_one_digest_and_others_have_others() -> None:
    assert CONTENT._replace().digest == CONTENT.digest
    assert CONTENT._replace(pipeline_file=None).digest != CONTENT.digest
    assert CONTENT._replace(packages=None).digest != CONTENT.digest


def test_a_manifest_states_its_digest_for_people_and_tools() -> None:
    assert json.loads(VERSION.render())["digest"] == str(CONTENT.digest)
    assert documents.render(CONTENT.to_json()).endswith(b"\n")


@pytest.mark.parametrize("cases", [[7], ["one", None], [["one"]]])
def test_names_of_golden_cases_that_are_no_strings_are_damage(cases: list[object]) -> None:
    document = as_json("version")
    document["golden"]["cases"] = cases
    with pytest.raises(DamagedError, match=r"manifest\.json: golden: 'cases' is not a list of str"):
        _parse(document)


def _with_golden(*names: str) -> VersionContent:
    entry = CONTENT.files[0]
    return CONTENT._replace(files=tuple(sorted(entry._replace(path=name) for name in names)))


@pytest.mark.parametrize("request_file", ["request.json", "request.txt", "request.tar.gz"])
def test_a_golden_case_is_its_request_and_its_expected_answer(request_file: str) -> None:
    content = _with_golden("golden/one/expected.json", f"golden/one/{request_file}", "golden/one.x")
    request, expected = content.golden_files("one")
    assert request.path == f"golden/one/{request_file}"
    assert expected.path == "golden/one/expected.json"


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("golden/one/expected.json",),
        ("golden/one/request.json",),
        ("golden/one/expected.json", "golden/one/other.json"),
        ("golden/one/a.json", "golden/one/request.json"),
        ("golden/one/expected.json", "golden/one/request.json", "golden/one/request.txt"),
        ("golden/two/expected.json", "golden/two/request.json"),
        ("golden/one/expected.json", "golden/one/request"),
    ],
)
def test_a_golden_case_of_other_files_is_damage(names: tuple[str, ...]) -> None:
    with pytest.raises(DamagedError, match="golden case 'one' is not one request"):
        _with_golden(*names).golden_files("one")
