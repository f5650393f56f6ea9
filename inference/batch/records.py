"""Answer one record; write answers and errors as lines. Pure, except for running the model.

The version's pipeline answers a record; for a version without one, a record is an Open Inference
Protocol request. The functions raise RECORD_FAULTS if the record, or the pipeline's answer to it,
is wrong: the next record may be right. Any other error is about the version or this environment.

Lines of answers and errors name their input (`record` is its line number, from 1):

    {"record":7,"answer":{"label":"python","score":0.99}}     JSON as the pipeline wrote it
    {"record":8,"answer":"some text"}                         text
    {"record":9,"answer":"iVBORw...","encoding":"base64","content_type":"image/png"}
    {"record":10,"reason":"the line is not JSON: ..."}        in .errors.jsonl
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pybase64

from inference.errors import BadRequestError, OutputError, PipelineError
from inference.pipeline import Request, Response
from inference.protocol.json_codec import read, write
from inference.protocol.requests import parse_infer_request
from inference.protocol.responses import render_infer_body
from model_store.lines import on_one_line

if TYPE_CHECKING:
    from inference.loading.loaded_version import LoadedVersion

JSON: Final = "application/json"
RECORD_FAULTS: Final = (BadRequestError, OutputError, PipelineError)


def answer_record(loaded: LoadedVersion, body: bytes, content_type: str) -> Response:
    """Answer one record; raises RECORD_FAULTS."""
    if loaded.pipeline is not None:
        return loaded.predict(Request(body, content_type))
    request = parse_infer_request(body, loaded.signature)
    outputs = loaded.run(request.tensors, request.outputs)
    answer, _ = render_infer_body(
        outputs, model=loaded.model, version=loaded.number, request_id=request.id
    )
    return Response(answer.decode(), JSON)


def answer_line(loaded: LoadedVersion, number: int, line: bytes) -> bytes:
    """Answer a line of JSON; return the answer's line. Raises RECORD_FAULTS."""
    if loaded.pipeline is not None:  # a protocol request is parsed below
        _check_json(line)
    return _as_line(number, answer_record(loaded, line, JSON))


def error_line(number: int, reason: str) -> bytes:
    """Return the line that says why a record has no answer."""
    return _line({"record": number, "reason": on_one_line(reason)})


def _as_line(number: int, response: Response) -> bytes:
    body, content_type = response
    if isinstance(body, str):
        if content_type.startswith(JSON):
            return _with_json(number, body)
        return _line({"record": number, "answer": body})
    text = pybase64.b64encode_as_string(body)
    return _line(
        {"record": number, "answer": text, "encoding": "base64", "content_type": content_type}
    )


def _with_json(number: int, text: str) -> bytes:
    """Embed JSON text unchanged: parsing and writing it could change its numbers."""
    try:
        read(text)
        # A JSON string holds no bare line break, so every line break is white space.
        one_line = text.strip().replace("\r", " ").replace("\n", " ")
        return f'{{"record":{number},"answer":{one_line}}}\n'.encode()
    except ValueError as error:
        raise PipelineError(
            f"encode() declared its answer as JSON, but it is not: {error}"
        ) from error


def _check_json(line: bytes) -> None:
    try:
        read(line)
    except ValueError as error:
        raise BadRequestError(f"the line is not JSON: {error}") from None


def _line(value: dict[str, Any]) -> bytes:
    return write(value) + b"\n"
