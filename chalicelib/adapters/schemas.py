"""The request schemas of models, remembered: a model's never changes, and a prediction must not cost a read of S3."""

from __future__ import annotations

from chalicelib.domain.request_schema import RequestSchema
from chalicelib.ports import Documents

_MOST = 64


class RememberedSchemas:
    """The Schemas port over the bucket's documents; the newest _MOST models' schemas are kept."""

    def __init__(self, documents: Documents, bucket: str) -> None:
        self._documents, self._bucket = documents, bucket
        self._known: dict[str, RequestSchema] = {}

    def of(self, run: str) -> RequestSchema:
        """The schema Evaluate wrote beside the run's scorecard; an empty one for a model evaluated without."""
        if run not in self._known:
            found = self._documents.read(f"s3://{self._bucket}/runs/{run}/evaluate/request.schema.json")
            if len(self._known) >= _MOST:
                self._known.pop(next(iter(self._known)))
            self._known[run] = RequestSchema(found or {})
        return self._known[run]
