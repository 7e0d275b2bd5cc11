"""Input records and predictions together: DataProcessing's filters and join, and inference ids (data capture).

CSV rows are arrays of texts; JSON is one document a record; JSON Lines one a line. Joined JSON is written as AWS's
outputs in the wild have it: compact, members in alphabetical order.
"""

import csv
import io
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from penstock.localaws.sagemaker.transform.faults import client_fault
from penstock.localaws.sagemaker.transform.jsonpath import Missing, Path

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
_NAMES = {CSV: "CSV", JSON: "JSON", JSON_LINES: "JSON Lines"}
FORMATS = tuple(_NAMES)
INPUT, OUTPUT = "SageMakerInput", "SageMakerOutput"
_ID, _TIME = "SageMakerInferenceId", "SageMakerInferenceTime"
_LONGEST_FIELD = 100 << 20  # a payload's limit; the module's own, 128 KB, is no limit of AWS's

csv.field_size_limit(_LONGEST_FIELD)


def media_type(given: str) -> str:
    """A content type without parameters, in lower case."""
    return given.partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Association:
    """What is done with a job's records and answers.

    Attributes:
        sent_as, answered_as: the media types, of FORMATS when they are parsed.
        join: whether the input is joined.
        stamp: the job's start as `2022-08-30T00:49:15Z` when every record gets an inference id, None otherwise.
    """

    sent_as: str
    answered_as: str
    input_filter: Path
    output_filter: Path
    join: bool
    stamp: str | None = None

    @property
    def parses_input(self) -> bool:
        """Whether input records are looked into."""
        return self.join or not self.input_filter.everything

    @property
    def parses_output(self) -> bool:
        """Whether answers are looked into."""
        return self.join or not self.output_filter.everything or self.stamp is not None

    def sent(self, record: bytes) -> bytes:
        """What the model gets of a record; raises BadFile."""
        if self.input_filter.everything:
            # A blank line would have no answer to be joined with.
            return record if record.strip() or not self.join else b""
        documents = _parse(self.sent_as, record, "input")
        chosen = [_select(self.input_filter, document, "InputFilter") for document in documents]
        return _format(self.sent_as, chosen, lines=record.endswith(b"\n"))

    def stored(self, records: tuple[bytes, ...], answer: bytes) -> bytes:
        """What is stored of the answer to `records`; raises BadFile."""
        several = len(records) > 1
        answers = _parse(self.answered_as, answer, "output from the algorithm", several)
        if self.join:
            given = [one for record in records for one in _parse(self.sent_as, record, "input")]
            if len(given) != len(answers):
                raise client_fault(
                    "Fail to join data: mismatched line count between the input and the output "
                    f"({len(given)} and {len(answers)})"
                )
            answers = [joined(self.sent_as, one, said) for one, said in zip(given, answers, strict=True)]
        chosen = [_select(self.output_filter, one, "OutputFilter") for one in answers]
        if self.stamp is not None:
            chosen = [_stamped(self.answered_as, one, self.stamp) for one in chosen]
        return _format(self.answered_as, chosen, lines=several)


def joined(kind: str, given: Any, answered: Any) -> Any:
    """One input record with its prediction."""
    if kind == CSV:
        return given + answered
    if isinstance(given, dict):
        return {**given, OUTPUT: answered}
    return {INPUT: given, OUTPUT: answered}


def _stamped(kind: str, document: Any, moment: str) -> Any:
    made = str(uuid.uuid4())
    if kind == CSV:
        return [*_row(document), made, moment]
    members = document if isinstance(document, dict) else {OUTPUT: document}
    return {**members, _ID: made, _TIME: moment}


def _select(path: Path, document: Any, member: str) -> Any:
    try:
        return path.select(document)
    except Missing as missing:
        raise client_fault(f"{member} {path.expression} does not fit a record: {missing}") from missing


def _parse(kind: str, content: bytes, what: str, several: bool = False) -> list[Any]:
    """The documents in `content`; `several` JSON documents are one a line."""
    if kind == JSON and not several:
        return [_read(kind, content, what)]
    return [_read(kind, line, what) for line in content.split(b"\n") if line.strip()]


def _read(kind: str, content: bytes, what: str) -> Any:
    try:
        text = content.decode("utf-8-sig")
        if kind == CSV:
            return next(csv.reader([text.rstrip("\r")], strict=True))
        return json.loads(text, parse_constant=_not_json)
    except (ValueError, csv.Error, RecursionError) as error:
        raise client_fault(f"Failed to parse {what} as {_NAMES[kind]}: {error}") from error


def _not_json(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _format(kind: str, documents: Iterable[Any], lines: bool) -> bytes:
    """Documents as the model or S3 gets them; one JSON document has a line end of its own only if `lines`."""
    if kind == CSV:
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerows(map(_row, documents))
        return out.getvalue().encode()
    ending = b"\n" if lines or kind == JSON_LINES else b""
    return b"".join(_json(document) + ending for document in documents)


def _json(document: Any) -> bytes:
    try:
        text = json.dumps(
            document, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False
        )
        return text.encode()
    except ValueError as error:
        raise client_fault(f"A record cannot be written as JSON: {error}") from error


def _row(document: Any) -> list[Any]:
    """A CSV row: a filter that names one column gives its text alone."""
    return document if isinstance(document, list) else [document]
