"""MiniLM's own steps around its graph: sentences to tokens, and vectors to an answer.

A body of text/plain (or any text/...) is one sentence. Any other body is JSON: a string is one
sentence; a list of strings is several, and the answer is a list. Tokens are those of
`sentence-transformers` with this model: lower case, word pieces, [CLS] and [SEP] around them, at
most 256 in all; further tokens are left out. Pooling and normalisation are in the graph.

The tokenizer is read once, at import. Both functions are pure and thread-safe.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.pipeline import Request

_MOST_TOKENS = 256
"""Limit of a sentence: `max_seq_length` in the model's sentence_bert_config.json."""
_MOST_TOKENS_AT_ONCE = 4_096
"""Limit of a request with padding: 16 of the longest sentences, whose run takes some 300 MB."""

_TOKENIZER = Tokenizer.from_file(str(Path(__file__).parent / "build" / "tokenizer.json"))
# The file itself says 128 for both, the length used in training.
_TOKENIZER.enable_truncation(_MOST_TOKENS)
_TOKENIZER.no_padding()


def decode(request: Request) -> dict[str, NDArray[np.int64]]:
    """Turn a body into the graph's inputs, both int64 of shape (sentences, tokens of the longest).

    Raise ValueError, with a one-line message, for a body without text or with too many tokens.
    """
    # Not encode_batch: it starts a pool of threads, which does not pay off on a function's CPUs.
    tokens = [_TOKENIZER.encode(sentence).ids for sentence in _sentences(request)]
    longest = max(map(len, tokens))
    if len(tokens) * longest > _MOST_TOKENS_AT_ONCE:
        raise ValueError(
            f"{len(tokens)} sentences, of {longest} tokens the longest, are too much at once: "
            f"send {_MOST_TOKENS_AT_ONCE // longest}"
        )
    ids = np.zeros((len(tokens), longest), np.int64)  # [PAD] is token 0
    mask = np.zeros_like(ids)
    for row, sentence in enumerate(tokens):
        ids[row, : len(sentence)] = sentence
        mask[row, : len(sentence)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def encode(outputs: Mapping[str, NDArray[np.float32]], request: Request) -> list[Any]:
    """Turn the graph's {"embedding": (sentences, 384)} into a list of vectors, or one vector."""
    vectors: list[Any] = outputs["embedding"].tolist()
    return vectors[0] if _is_text(request) or isinstance(_parse(request), str) else vectors


def _sentences(request: Request) -> list[str]:
    """Return the request's sentences, at least one."""
    if _is_text(request):
        try:
            return [request.body.decode()]
        except UnicodeDecodeError as error:
            raise ValueError(
                f"the text is not UTF-8: {error.reason} at byte {error.start}"
            ) from None
    parsed = _parse(request)
    match parsed:
        case str():
            sentences = [parsed]
        case []:
            raise ValueError("the list holds no sentence")
        case list():
            sentences = parsed
        case _:
            raise ValueError("send a JSON string, a JSON list of strings, or text as text/plain")
    for number, sentence in enumerate(sentences, 1):
        flaw = _flaw(sentence)
        if flaw:
            raise ValueError(f"sentence {number} of {len(sentences)} {flaw}")
    return sentences


def _is_text(request: Request) -> bool:
    return request.content_type.lstrip().lower().startswith("text/")


def _parse(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None


def _flaw(sentence: Any) -> str | None:
    """Return the reason why a JSON value is not text; None if it is.

    A lone surrogate is not text: JSON can express it, UTF-8 cannot.
    """
    if not isinstance(sentence, str):
        return "is not a string"
    try:
        sentence.encode()
    except UnicodeEncodeError:
        return "holds half a surrogate pair"
    return None
