"""Tell: send a stage's notice, if the project wants it and nobody has been told of this stage of this run before.

Events come twice and states are tried again: the ledger remembers, before the message goes, that it was sent. So a
message may be lost with a function that dies in between, and is never sent twice. Used by Notice, Gate, Register and
Release.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.notices import ALL, Notice, wanted
from chalicelib.errors import PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ledger, Notices


@dataclass(frozen=True, slots=True)
class Tell:
    """The teller; see chalicelib.ports.Teller."""

    ledger: Ledger
    notices: Notices

    def __call__(self, notice: Notice) -> str:
        """Answers sent, unwanted, told before, or not sent with the reason. Never fails: no work depends on it."""
        try:
            if not wanted(self.ledger.project(notice.project), ALL):
                return "unwanted"
            if not self.ledger.first_to_tell(notice.project, notice.run, notice.stage):
                return "told before"
            self.notices.send(notice.subject, notice.text, notice.attributes)
        except PipelineError as error:
            note(notice=str(error))
            return f"not sent: {error}"
        return "sent"
