"""Results of pipeline.py for requests, with the real `tokenizers` and a small vocabulary."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.pipeline import Request
from model_store.package_set import SITE_PACKAGES, Target
from model_sync.package_sets.download import download_wheels
from model_sync.package_sets.unpack import unpack
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODEL = ROOT / "models" / "minilm"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "tide", "##s", "cafe", "!"]
CLS, SEP = 2, 3
THE, TIDE, S, CAFE, BANG = range(4, 9)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, import_file: Callable[[Path], Any]) -> Any:
    """pipeline.py beside a small tokenizer that is set up as the real one is."""
    folder = tmp_path_factory.mktemp("minilm")
    (folder / "wheels").mkdir()
    requirements = MODEL / "requirements.txt"
    for wheel in download_wheels(requirements, Target.running(), folder / "wheels"):
        unpack(wheel, folder, folder / "scratch")
    sys.path.append(str(folder / SITE_PACKAGES))
    try:
        write_tokenizer(folder / "build" / "tokenizer.json")
        shutil.copyfile(MODEL / "pipeline.py", folder / "pipeline.py")
        return import_file(folder / "pipeline.py")
    finally:
        sys.path.remove(str(folder / SITE_PACKAGES))


def write_tokenizer(path: Path) -> None:
    """MiniLM's tokenizer.json, but for the vocabulary: it says 128 tokens, and always 128."""
    added = [
        {"id": number, "content": word, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for number, word in enumerate(VOCABULARY[:4])
    ]
    single = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    single.append({"SpecialToken": {"id": "[SEP]", "type_id": 0}})
    special = {
        name: {"id": name, "ids": [number], "tokens": [name]}
        for name, number in (("[CLS]", CLS), ("[SEP]", SEP))
    }
    document = {
        "version": "1.0",
        "truncation": {"max_length": 128, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 128},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        "added_tokens": added,
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": single,
            "special_tokens": special,
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: number for number, word in enumerate(VOCABULARY)},
        },
    }
    path.parent.mkdir()
    path.write_text(json.dumps(document))


def as_json(value: object) -> Request:
    return Request(json.dumps(value).encode(), "application/json")


def tokens(pipeline: Any, request: Request) -> list[list[int]]:
    """The tokens of each sentence, less its padding."""
    tensors = pipeline.decode(request)
    ids, mask = tensors["input_ids"], tensors["attention_mask"]
    assert tensors.keys() == {"input_ids", "attention_mask"}
    assert ids.dtype == mask.dtype == np.int64
    assert ids.shape == mask.shape
    assert not ids[mask == 0].any()
    assert (np.diff(mask) <= 0).all()
    return [row[kept == 1].tolist() for row, kept in zip(ids, mask, strict=True)]


ONE_TIDE = [[CLS, THE, TIDE, S, BANG, SEP]]


@pytest.mark.parametrize(
    "request_",
    [
        as_json("the tides!"),
        as_json(["the tides!"]),
        as_json("  The\tTIDES\n!"),
        Request('"the tides!"'.encode("utf-16"), "application/json"),
        Request(b'\xef\xbb\xbf"the tides!"'),
        Request(b'"the tides!"', "application/x-www-form-urlencoded"),
        Request(b"the tides!", "text/plain"),
        Request(b"the tides!\n", "Text/Plain; charset=utf-8"),
        Request(b"the tides!", "text/markdown"),
    ],
)
def test_a_sentence_comes_as_json_or_as_text(pipeline: Any, request_: Request) -> None:
    assert tokens(pipeline, request_) == ONE_TIDE


def test_text_is_never_taken_for_json(pipeline: Any) -> None:
    assert len(tokens(pipeline, Request(b'["the", "tide"]', "text/plain"))) == 1


def test_several_sentences_are_padded_to_the_longest(pipeline: Any) -> None:
    request = as_json(["caf\N{LATIN SMALL LETTER E WITH ACUTE}", "the tides!", "", "strange"])
    assert tokens(pipeline, request) == [[CLS, CAFE, SEP], *ONE_TIDE, [CLS, SEP], [CLS, 1, SEP]]
    assert pipeline.decode(request)["input_ids"].shape == (4, 6)


@pytest.mark.parametrize(("words", "length"), [(126, 128), (127, 129), (254, 256), (255, 256)])
def test_a_sentence_is_cut_at_256_tokens_not_at_the_128_of_its_tokenizer(
    pipeline: Any, words: int, length: int
) -> None:
    (found,) = tokens(pipeline, as_json("the " * words))
    assert len(found) == length
    assert (found[0], found[1], found[-1]) == (CLS, THE, SEP)


FORMS = "send a JSON string, a JSON list of strings, or text as text/plain"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", FORMS),
        (b"not JSON", FORMS),
        (b"\xff\xfe\xff", FORMS),
        (b"[" * 100_000, FORMS),
        (b"7", FORMS),
        (b"null", FORMS),
        (b'{"inputs": "the tide"}', FORMS),
        (b"[]", "the list holds no sentence"),
        (b'["the", 7]', "sentence 2 of 2 is not a string"),
        (b'["the", null, "tide"]', "sentence 2 of 3 is not a string"),
        (b'[["the"]]', "sentence 1 of 1 is not a string"),
        (rb'"\ud83d"', "sentence 1 of 1 holds half a surrogate pair"),
    ],
)
def test_what_is_not_text_is_refused_in_a_line(pipeline: Any, body: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        pipeline.decode(Request(body, "application/json"))
    assert str(caught.value) == message


def test_text_that_is_not_utf_8_is_refused_in_a_line(pipeline: Any) -> None:
    with pytest.raises(ValueError, match=r"^the text is not UTF-8: invalid start byte at byte 4$"):
        pipeline.decode(Request(b"the \xff", "text/plain"))


def test_what_would_take_too_much_memory_is_refused_with_how_much_fits(pipeline: Any) -> None:
    long, short = "the " * 300, "the"
    assert len(tokens(pipeline, as_json([long] * 16))) == 16
    message = "^17 sentences, of 256 tokens the longest, are too much at once: send 16$"
    with pytest.raises(ValueError, match=message):
        pipeline.decode(as_json([long] + [short] * 16))
    assert len(tokens(pipeline, as_json([short] * 1000))) == 1000


@pytest.mark.parametrize(
    ("request_", "one"),
    [
        (as_json("the"), True),
        (Request(b"the", "text/plain"), True),
        (Request(b"[]", "text/plain"), True),
        (as_json(["the"]), False),
        (as_json(["the", "tide"]), False),
    ],
)
def test_a_sentence_is_answered_by_a_vector_and_a_list_by_a_list(
    pipeline: Any, request_: Request, one: bool
) -> None:
    rows = len(pipeline.decode(request_)["input_ids"])
    vectors = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3) / 8
    answer = pipeline.encode({"embedding": vectors}, request_)
    assert answer == (vectors[0].tolist() if one else vectors.tolist())
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
