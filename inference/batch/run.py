"""Answer one object of a batch.

1. Read the object: line by line if it is JSON Lines, else as a whole.
2. Answer each record by the given version. A record that fails becomes a line of `.errors.jsonl`,
   and the next record follows.
3. Confirm that the object that was read is still in its place.
4. Delete an old summary. Put the answers in place, then the errors, or delete those of an earlier
   run. Write the summary. So an existing summary always agrees with the other two outputs.

A failure before step 4 leaves nothing behind. The outputs depend only on the object's bytes, its
name and the version, except for the durations in the summary: a second run writes the same bytes.

One variant of the version answers all records, because the answers of two variants differ in a
float's last bits: a batch loads the variant that stays loaded (versions.py).

Not here: the choice of the version (versions.py), the access to the objects (storage.py).
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from inference.batch.json_lines import split_lines
from inference.batch.keys import OutputKeys, content_type_of, is_json_lines, output_keys
from inference.batch.records import RECORD_FAULTS, answer_line, answer_record, error_line
from inference.errors import BadRequestError, PipelineError
from inference.telemetry import logger
from model_store.documents import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.batch.storage import Input, Output, Outputs
    from inference.loading.loaded_version import LoadedVersion

MAX_LINE_BYTES: Final = 6_291_456
"""Largest size of a record that is a line: the largest body of a call."""

MAX_OBJECT_BYTES: Final = 64 << 20
"""Largest size of an object that is one record; the object is read into memory."""

_JSON_LINES: Final = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """Counts, duration and output keys of an answered object."""

    keys: OutputKeys
    answered: int
    failed: int
    total_ms: float


def run_object(
    loaded: LoadedVersion,
    source: Input,
    outputs: Outputs,
    *,
    before_record: Callable[[int], None] = lambda _: None,
) -> ObjectResult:
    """Answer every record of an object and write its outputs.

    `before_record` is called before each record with the number of records done; an error that it
    raises ends the run and leaves nothing behind. Raises BatchError.
    """
    began = time.monotonic()
    results = _Results(loaded, source, outputs)
    try:
        if is_json_lines(source.name):
            _answer_lines(loaded, source, results, before_record)
        else:
            before_record(0)
            _answer_whole(loaded, source, results)
        source.confirm()
        return results.commit(began)
    finally:
        results.discard()


def _answer_lines(
    loaded: LoadedVersion, source: Input, results: _Results, before_record: Callable[[int], None]
) -> None:
    results.begin_answers(_JSON_LINES)  # also for an object without records: the answers are empty
    for line in split_lines(source.blocks(), MAX_LINE_BYTES):
        before_record(results.done)
        with results.record(line.number):
            if line.data is None:
                raise BadRequestError(f"the line is longer than {MAX_LINE_BYTES} bytes")
            results.add(answer_line(loaded, line.number, line.data))


def _answer_whole(loaded: LoadedVersion, source: Input, results: _Results) -> None:
    with results.record(1):
        if source.size_bytes > MAX_OBJECT_BYTES:
            raise BadRequestError(
                f"the object has {source.size_bytes} bytes; an object that is one record may have "
                f"{MAX_OBJECT_BYTES}"
            )
        response = answer_record(loaded, b"".join(source.blocks()), content_type_of(source.name))
        results.begin_answers(response.content_type)
        body = response.body
        results.add(body.encode() if isinstance(body, str) else body)


class _Results:
    """The outputs of one object in progress; answers and errors are written one by one."""

    def __init__(self, loaded: LoadedVersion, source: Input, outputs: Outputs) -> None:
        self._keys = output_keys(loaded.model, loaded.number, source.name)
        self._loaded, self._source, self._outputs = loaded, source, outputs
        self._answers: Output | None = None
        self._errors: Output | None = None
        self._answered = self._failed = 0
        self._answering_s = 0.0
        self._logged_failure = False

    @property
    def done(self) -> int:
        return self._answered + self._failed

    def begin_answers(self, content_type: str) -> None:
        self._answers = self._outputs.create(self._keys.answers, content_type)

    def add(self, answer: bytes) -> None:
        if self._answers is None:
            raise AssertionError("an answer before begin_answers()")
        self._answers.write(answer)

    @contextlib.contextmanager
    def record(self, number: int) -> Iterator[None]:
        """Count one record as answered, or as failed and write its error line."""
        began = time.monotonic()
        try:
            yield
        except RECORD_FAULTS as error:
            self._failed += 1
            self._report(number, error)
            if self._errors is None:
                self._errors = self._outputs.create(self._keys.errors, _JSON_LINES)
            self._errors.write(error_line(number, str(error)))
        else:
            self._answered += 1
        self._answering_s += time.monotonic() - began

    def commit(self, began: float) -> ObjectResult:
        keys = self._keys
        self._outputs.remove(keys.summary)
        for key, output in ((keys.answers, self._answers), (keys.errors, self._errors)):
            if output:
                output.commit()
            else:
                self._outputs.remove(key)
        total_ms = (time.monotonic() - began) * 1e3
        summary = self._outputs.create(keys.summary, "application/json")
        try:
            summary.write(render(self._summary(total_ms)))
            summary.commit()
        finally:
            summary.discard()
        return ObjectResult(keys, self._answered, self._failed, total_ms)

    def discard(self) -> None:
        for output in (self._answers, self._errors):
            if output:
                output.discard()

    def _summary(self, total_ms: float) -> dict[str, Any]:
        return {
            "model": self._loaded.model,
            "version": self._loaded.number,
            "digest": self._loaded.digest,
            "input": self._source.describe(),
            "records": {"answered": self._answered, "failed": self._failed},
            "outputs": {
                "answers": self._keys.answers if self._answers else None,
                "errors": self._keys.errors if self._errors else None,
            },
            "durations_ms": {
                "answering": round(self._answering_s * 1e3, 3),
                "total": round(total_ms, 3),
            },
        }

    def _report(self, number: int, error: BaseException) -> None:
        # The log gets the cause of a pipeline's failure; only the first, or it would be flooded.
        if isinstance(error, PipelineError) and not self._logged_failure:
            self._logged_failure = True
            logger.error(
                "a pipeline failed; further failures with this object are not logged",
                model=self._loaded.model,
                version=self._loaded.number,
                record=number,
                exc_info=error,
            )
