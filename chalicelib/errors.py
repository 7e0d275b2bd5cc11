"""Every way the product can refuse or fail. A class's name is the error name the state machine sees.

PipelineError                  code, retryable, status
├── BadUpload                  the data is not what the project accepts        → Report, 400
├── BadRequest                 the caller's question is malformed              → 400 (or the status it carries)
├── NotFound                   no such project, run or model                   → 404
├── Conflict                   it is there already, or busy                    → 409
├── NotReady                   no model released yet, or the endpoint is away  → 409 or 503
├── NothingWaiting             a run found nothing to do (an outcome)          → Report
├── LeaseLost                  another run holds the project now               → Report
├── JobFailed                  a job or a model said no; carries its words     → Report, 502
├── ReleaseRolledBack          the endpoint went back to what it served before → Report
├── ProbeFailed                the endpoint does not answer as evaluated       → Report
├── TimedOut                   the model took too long                         → 504
├── Throttled                  too many calls at once                          → retryable, 429
├── AwsTrouble                 throttled or unavailable service of AWS         → retryable, 503
└── Misconfigured              settings or permissions                         → alarm, 500

A refused model is no error: the gate answers `passed: false` with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Fault(dict[str, str]):
    """One thing that is wrong: `where` (a path into the caller's document) and `problem`."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where=where, problem=problem)


class PipelineError(Exception):
    """Says where, what, and what to do next. `faults` lists every single problem, when there are several.

    `members` are further members of its problem document. `inner`: its words speak of our own inside (ARNs, roles,
    AWS's messages), which is for the log and not for callers of the API.
    """

    status = 500
    inner = False
    retryable = False
    title = "Pipeline error"

    def __init__(
        self,
        where: str,
        what: str,
        do_next: str,
        *,
        status: int | None = None,
        faults: list[Fault] | None = None,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{where}: {what}. {do_next}")
        self.where, self.what, self.do_next = where, what, do_next
        self.faults = list(faults or [])
        self.members = dict(members or {})
        if status is not None:
            self.status = status

    @property
    def code(self) -> str:
        """The error's name in the state machine, in logs and in problem documents."""
        return type(self).__name__

    def document(self) -> dict[str, Any]:
        """As one function of ours tells it to another; see `rebuilt`."""
        told = {"error": self.code, "where": self.where, "what": self.what, "do_next": self.do_next}
        return {**told, "status": self.status, "faults": self.faults}


class BadUpload(PipelineError):
    """The data is not what the project accepts."""

    status, title = 400, "The data is not what the project accepts"


class BadRequest(PipelineError):
    """The caller's question is malformed."""

    status, title = 400, "The request is not what this address accepts"


class NotFound(PipelineError):
    """There is no such project, run or model."""

    status, title = 404, "There is no such thing"


class Conflict(PipelineError):
    """It is there already, or busy."""

    status, title = 409, "It is there already, or busy"


class NotReady(PipelineError):
    """No model has been released yet, or the endpoint is away."""

    status, title = 409, "No model answers yet"

    @property
    def retry_after(self) -> int | None:
        """Seconds after which an endpoint that is away (503) may be back; a model is made when it is made (409)."""
        return 5 if self.status == 503 else None


class NothingWaiting(PipelineError):
    """A run found nothing to do."""

    status, title = 409, "Nothing waits"


class LeaseLost(PipelineError):
    """Another run holds the project now; this one must not touch it."""

    status, title = 409, "Another run holds the project"


class JobFailed(PipelineError):
    """A job or a model said no; carries its own words."""

    status, title = 502, "The model failed"


class ReleaseRolledBack(PipelineError):
    """The endpoint went back to what it served before."""

    status, title = 502, "The release was rolled back"


class ProbeFailed(PipelineError):
    """The endpoint does not answer as the model did when it was evaluated."""

    status, title = 502, "The endpoint does not answer as evaluated"


class TimedOut(PipelineError):
    """The model took longer than the front door may wait."""

    status, title = 504, "The model took too long"


class Throttled(PipelineError):
    """Too many calls at once; `retry_after` in seconds."""

    status, retryable, title = 429, True, "Too many requests"
    retry_after = 1


class AwsTrouble(PipelineError):
    """A service of AWS is throttling or unavailable: the same call may work in a moment."""

    status, retryable, title, inner = 503, True, "A service of AWS is unavailable", True
    retry_after = 2


class Misconfigured(PipelineError):
    """Settings or permissions are wrong: trying again does not help."""

    status, title, inner = 500, "This stage is not set up correctly", True


def rebuilt(told: Mapping[str, Any]) -> PipelineError:
    """The error that `PipelineError.document` told of."""
    kinds = {kind.__name__: kind for kind in PipelineError.__subclasses__()}
    return kinds.get(told["error"], PipelineError)(
        told["where"],
        told["what"],
        told["do_next"],
        status=told["status"],
        faults=[Fault(**one) for one in told["faults"]],
    )
