"""The stage's REST API: JSON in, JSON out, and its problem documents as errors for a person."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import urllib3

from penstock.deploy.access import Authorise
from penstock.errors import PenstockError

_ONLY_CONNECTING = urllib3.Retry(total=None, connect=2, read=0, redirect=0, status=0, other=0)
_READ_SECONDS = 60.0  # longer than API Gateway's own 29 s, so that its answer is the one seen


class Refused(PenstockError):
    """The API answered with a problem; `status` is the HTTP status, `problem` the whole document."""

    def __init__(self, where: str, what: str, do_next: str, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(where, what, do_next)
        self.status = status
        self.problem = problem


@dataclass(frozen=True)
class Answer:
    """What came back: the headers (any case) and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Api:
    """A stage's API at `url` (no slash at its end); `authorise` adds what the stage asks of its callers."""

    def __init__(self, url: str, authorise: Authorise | None = None) -> None:
        self.url, self._authorise = url.rstrip("/"), authorise
        timeout = urllib3.Timeout(connect=5.0, read=_READ_SECONDS)
        self._http = urllib3.PoolManager(timeout=timeout, retries=_ONLY_CONNECTING)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request. Raises Refused for 4xx and 5xx, PenstockError when nothing answers."""
        sent = dict(headers or {})
        if self._authorise is not None:
            sent = dict(self._authorise(method, self.url + path, body, sent))
        try:
            answer = self._http.request(method, self.url + path, body=body, headers=sent)
        except urllib3.exceptions.HTTPError as error:
            raise PenstockError(
                f"{method} {path}",
                f"the API at {self.url} does not answer ({type(error).__name__})",
                "See `penstock status`, and deploy with `penstock deploy`.",
            ) from error
        if answer.status >= 400:
            raise refused(method, path, answer.status, answer.data)
        return Answer(answer.status, answer.headers, answer.data)

    def get(self, path: str) -> dict[str, Any]:
        """The JSON document at `path`."""
        document: dict[str, Any] = json.loads(self.send("GET", path).body)
        return document

    def put(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Store a JSON document at `path`."""
        body = json.dumps(document).encode()
        told: dict[str, Any] = json.loads(
            self.send("PUT", path, body, {"Content-Type": "application/json"}).body
        )
        return told

    def objects(self, project: str, key: str) -> list[dict[str, Any]]:
        """Every upload of one key with its story, oldest first; none when the project knows nothing of it."""
        try:
            found: list[dict[str, Any]] = self.get(f"{of(project)}/objects?key={quote(key, safe='')}")[
                "objects"
            ]
        except Refused as error:
            if error.status != 404:
                raise
            return []
        return found

    def uploads(self, project: str) -> Iterator[dict[str, Any]]:
        """Every upload of a project by key, without its story; none when the API knows no such project."""
        page, after = f"{of(project)}/objects?limit=500&counts=false", ""
        while True:
            try:
                found = self.get(page + after)
            except Refused as error:
                if error.status != 404:
                    raise
                return
            yield from found["objects"]
            if not found.get("next"):
                return
            after = f"&after={quote(found['next'], safe='')}"

    def verdicts(self, project: str) -> dict[str, int]:
        """How many uploads of a project have each verdict; a large project's are counted in several requests."""
        counts: Counter[str] = Counter()
        page, after = f"{of(project)}/objects?limit=1&counts=true", ""
        while True:
            found = self.get(page + after)
            counts.update(found["verdicts"])
            if not found.get("more"):
                return dict(counts)
            after = f"&after={quote(found['more'], safe='')}"

    def runs(self, project: str) -> list[dict[str, Any]]:
        """The project's runs, newest first."""
        found: list[dict[str, Any]] = self.get(f"{of(project)}/runs")["runs"]
        return found

    def run(self, run: str) -> dict[str, Any]:
        """One run."""
        return self.get(f"/runs/{quote(run, safe='')}")


def of(project: str) -> str:
    """The path of a project."""
    return f"/projects/{quote(project, safe='')}"


def refused(method: str, path: str, status: int, body: bytes) -> Refused:
    """A problem document as an error; anything else that is no success, as well as it can be said."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    faults = [
        f"{fault.get('where') or 'the document'}: {fault.get('problem')}"
        for fault in problem.get("errors", [])
    ]
    said = str(
        problem.get("detail")
        or problem.get("title")
        or problem.get("message")
        or body[:300].decode(errors="replace")
    )
    asked = problem.get("request_id")
    named = f" (request {asked})" if asked else ""
    what = "\n  - ".join([f"{status}, {said.rstrip('.')}{named}", *faults])
    return Refused(f"{method} {path}", what, "docs/errors.md says what each error means.", status, problem)
