"""The released models, remembered for a few seconds: a prediction must not cost a read of the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable

from chalicelib.domain.model_version import Champion
from chalicelib.errors import BadRequest, NotFound, NotReady
from chalicelib.ports import Ledger

SECONDS = 5.0


class RememberedChampions:
    """The Champions port over a ledger. For SECONDS after a release, answers may still name the model before."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], float] = time.monotonic, seconds: float = SECONDS
    ) -> None:
        self._ledger, self._now, self._seconds = ledger, now, seconds
        self._known: dict[str, tuple[float, Champion]] = {}
        self._only: tuple[float, str] | None = None

    def of(self, project: str) -> Champion:
        """A project's released model."""
        known = self._known.get(project)
        if known is not None and self._now() - known[0] < self._seconds:
            return known[1]
        champion = self._ledger.champion(project)
        if champion is None:
            raise self._none(project)
        self._known[project] = (self._now(), champion)
        return champion

    def only_project(self) -> str:
        """The stage's only project."""
        if self._only is not None and self._now() - self._only[0] < self._seconds:
            return self._only[1]
        names = self._ledger.projects()
        if len(names) != 1:
            listed = ", ".join(names) or "none"
            what = f"there is no single project to ask: {listed}"
            raise BadRequest("POST /predict", what, "Use POST /projects/{project}/predict.")
        self._only = (self._now(), names[0])
        return names[0]

    def forget(self, project: str) -> None:
        """Look again next time."""
        self._known.pop(project, None)

    def _none(self, project: str) -> NotFound | NotReady:
        if self._ledger.project(project) is None:
            advice = f"Create it with PUT /projects/{project}."
            return NotFound(f"project {project}", "there is no such project", advice)
        advice = f"GET /projects/{project}/runs shows how far it is."
        return NotReady(f"project {project}", "no model has been released yet", advice)
