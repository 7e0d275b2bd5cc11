"""One in-memory class for each port. They keep the ports' promises (tests/contract holds the ledger to them), record
what they were asked, and can be told to fail.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import Any, BinaryIO

from chalicelib import inbound
from chalicelib.adapters.champions import RememberedChampions
from chalicelib.adapters.schemas import RememberedSchemas
from chalicelib.domain.bucket import Listed, Stored
from chalicelib.domain.endpoint import Actual, Served
from chalicelib.domain.erasure import Erasure
from chalicelib.domain.ledger import (
    COUNTED,
    IGNORED,
    MAX_TRIES,
    PENDING,
    REFUSED,
    REWRITTEN,
    Change,
    Counts,
    Head,
    Move,
    ObjectRecord,
    Waiting,
    arrival,
    deletion,
    record_of,
    restoration,
    rewriting,
)
from chalicelib.domain.model_version import Champion, ModelVersion
from chalicelib.domain.prediction import Answer, Question
from chalicelib.domain.ranking import Candidate
from chalicelib.domain.run import RUNNING, Lease, RunEnded, RunRecord, new_run
from chalicelib.domain.upload import Upload, object_id, order
from chalicelib.errors import AwsTrouble, BadRequest, BadUpload, LeaseLost, PipelineError, rebuilt
from chalicelib.settings import Settings
from chalicelib.steps import claim, report, share
from chalicelib.steps.erase import Eraser
from chalicelib.steps.launch import Launch
from chalicelib.steps.repair import Repair
from chalicelib.steps.tell import Tell
from tests import builders
from tests.bucket import Bucket


class FakeClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment

    def advance(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


class InMemoryLedger:
    """The ledger; each method is one atomic step, as each of DynamoDB's transactions is."""

    def __init__(self) -> None:
        self.specs: dict[str, dict[str, Any]] = {}
        self.records: dict[tuple[str, str], ObjectRecord] = {}
        self.markers: dict[tuple[str, str], int] = {}
        self.heads: dict[tuple[str, str], Head] = {}
        self.leases: dict[str, Lease] = {}
        self.numbers: dict[str, int] = {}
        self.kept_runs: dict[str, RunRecord] = {}
        self.champions: dict[str, Champion] = {}
        self.told: set[tuple[str, str, str]] = set()

    def project(self, name: str) -> dict[str, Any] | None:
        return self.specs.get(name)

    def projects(self) -> list[str]:
        return sorted(self.specs)

    def put_project(self, spec: Mapping[str, Any], at: str) -> None:
        self.specs[spec["project"]] = dict(spec)

    def record(self, new: ObjectRecord) -> str:
        head = self.heads.get((new.project, new.key))
        current = self.records.get((new.project, head.object_id)) if head else None
        existing = self.records.get((new.project, new.id))
        return self._apply(new.project, new.key, arrival(new, head, current, existing))

    def delete(self, upload: Upload, project: str) -> str:
        head = self.heads.get((project, upload.key))
        current = self.records.get((project, head.object_id)) if head else None
        return self._apply(project, upload.key, deletion(upload, head, current))

    def restore(self, upload: Upload, project: str, verdict: str) -> str:
        head = self.heads.get((project, upload.key))
        current = self.records.get((project, head.object_id)) if head else None
        name = object_id(upload.key, upload.version_id, upload.sequencer, upload.etag)
        change = restoration(upload, verdict, head, current, self.records.get((project, name)))
        return self._apply(project, upload.key, change)

    def rewrite(self, upload: Upload, old: ObjectRecord) -> str:
        verdict = old.verdict if old.verdict in {REFUSED, IGNORED} else PENDING
        reason = old.reason if verdict != PENDING else None
        new = record_of(upload, old.project, verdict=verdict, reason=reason, source=REWRITTEN)
        head = self.heads.get((old.project, upload.key))
        existing = self.records.get((old.project, new.id))
        known = self.records.get((old.project, old.id), old)
        return self._apply(old.project, upload.key, rewriting(new, known, head, existing))

    def head(self, project: str, key: str) -> Head | None:
        return self.heads.get((project, key))

    def _apply(self, project: str, key: str, change: Change) -> str:
        if change.put:
            self._keep(change.put)
        for move in change.moves:
            self._keep(move.after)
        if change.head:
            self.heads[(project, key)] = change.head
        return change.outcome

    def _keep(self, record: ObjectRecord) -> None:
        place = (record.project, record.id)
        self.records[place] = record
        if record.waits:
            self.markers[place] = record.tries
        else:
            self.markers.pop(place, None)

    def move(self, moves: Sequence[Move], fence: Lease | None = None) -> list[Move]:
        if moves and fence and not self._holds(fence):
            raise LeaseLost(
                f"project {fence.project}", f"{fence.execution} no longer holds it", "Nothing to do."
            )
        applied = []
        for move in moves:
            stored = self.records.get((move.before.project, move.before.id))
            if stored is not None and stored.revision == move.before.revision:
                self._keep(move.after)
                applied.append(move)
        return applied

    def waiting(self, project: str) -> list[Waiting]:
        return [
            Waiting(name, tries) for (owner, name), tries in sorted(self.markers.items()) if owner == project
        ]

    def objects(self, project: str, key: str | None = None) -> list[ObjectRecord]:
        found = [r for (owner, _), r in sorted(self.records.items()) if owner == project]
        if key is None:
            return found
        return sorted((one for one in found if one.key == key), key=lambda one: order(one.sequencer))

    def with_verdict(self, project: str, verdict: str) -> list[ObjectRecord]:
        return [record for record in self.objects(project) if record.verdict == verdict]

    def parked(self, project: str) -> list[ObjectRecord]:
        return [one for one in self.objects(project) if one.waits and one.tries >= MAX_TRIES]

    def any_waiting(self, project: str, *, retries: bool) -> bool:
        return any(one.fresh or (retries and not one.parked) for one in self.waiting(project))

    def some_objects(self, project: str, after: str, limit: int) -> list[ObjectRecord]:
        return [record for record in self.objects(project) if record.id > after][:limit]

    def counts(self, project: str, after: str = "", most: int = COUNTED) -> Counts:
        found = self.some_objects(project, after, most + 1)
        counted = found[:most]
        more = counted[-1].id if len(found) > most else None
        return Counts(dict(Counter(record.verdict for record in counted)), more)

    def take_lease(self, project: str, now: datetime) -> Lease | None:
        if project in self.leases:
            return None
        number = self.numbers.get(project, 0) + 1
        lease = Lease(project, new_run(project, number, now), 1, number, now.isoformat())
        self._hold(lease)
        self.kept_runs[lease.run] = RunRecord(project, lease.run, 1, RUNNING, lease.taken_at)
        return lease

    def resume(self, lease: Lease, now: datetime) -> Lease | None:
        if not self._holds(lease):
            return None
        taken = replace(lease, attempt=lease.attempt + 1, number=lease.number + 1, taken_at=now.isoformat())
        self._hold(taken)
        self.kept_runs[lease.run] = replace(self.kept_runs[lease.run], attempt=taken.attempt, state=RUNNING)
        return taken

    def _hold(self, lease: Lease) -> None:
        self.leases[lease.project] = lease
        self.numbers[lease.project] = lease.number

    def _holds(self, lease: Lease) -> bool:
        held = self.leases.get(lease.project)
        return held is not None and (held.run, held.number) == (lease.run, lease.number)

    def lease(self, project: str) -> Lease | None:
        return self.leases.get(project)

    def release(self, lease: Lease) -> bool:
        if not self._holds(lease):
            return False
        del self.leases[lease.project]
        return True

    def give_back(self, lease: Lease) -> None:
        if self.release(lease):
            del self.kept_runs[lease.run]

    def put_run(self, record: RunRecord) -> None:
        self.kept_runs[record.run] = record

    def run(self, run: str) -> RunRecord | None:
        return self.kept_runs.get(run)

    def runs(self, project: str) -> list[RunRecord]:
        found = [record for record in self.kept_runs.values() if record.project == project]
        return sorted(found, key=lambda record: (record.started_at, record.run), reverse=True)

    def first_to_tell(self, project: str, run: str, stage: str) -> bool:
        first = (project, run, stage) not in self.told
        self.told.add((project, run, stage))
        return first

    def champion(self, project: str) -> Champion | None:
        return self.champions.get(project)

    def put_champion(self, champion: Champion) -> None:
        self.champions[champion.project] = champion

    def keep_champion(self, champion: Champion) -> bool:
        known = self.champions.get(champion.project)
        if known is None or (known.run, known.released_at) != (champion.run, champion.released_at):
            return False
        self.champions[champion.project] = champion
        return True


class FakeDocuments:
    """Documents and a listing, in memory; what is written is kept as JSON text, as S3 would."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.bucket = Bucket()
        self.listed: list[str] = []
        self.trouble: PipelineError | None = None
        self.trouble_removing: PipelineError | None = None

    def read(self, uri: str) -> dict[str, Any] | None:
        text = self.texts.get(uri)
        return None if text is None else dict(json.loads(text))

    def write(self, uri: str, document: Mapping[str, Any], *, one_line: bool = False) -> None:
        if self.trouble:
            raise self.trouble
        self.texts[uri] = json.dumps(document, indent=None if one_line else 1)

    def listing(self, prefix: str) -> Iterable[Listed]:
        self.listed.append(prefix)
        return self.bucket.listing(prefix)

    def keys(self, prefix: str) -> Iterable[str]:
        written = [uri.removeprefix("s3://").partition("/")[2] for uri in self.texts]
        return [key for key in [*self.bucket.current(), *written] if key.startswith(prefix)]

    def remove(self, keys: Sequence[str]) -> None:
        if self.trouble_removing:
            raise self.trouble_removing
        for key in keys:
            self.bucket.delete(key)


class InMemoryErasures:
    """Erasures; their markers are the ledger's."""

    def __init__(self, ledger: InMemoryLedger) -> None:
        self.kept: dict[tuple[str, str], Erasure] = {}
        self._ledger = ledger

    def secret(self, project: str) -> str:
        return "5a" * 32

    def put(self, asked: Erasure) -> None:
        self.kept[(asked.project, asked.id)] = asked
        place = (asked.project, f"erasure#{asked.id}")
        if asked.waits:
            self._ledger.markers[place] = asked.tries
        else:
            self._ledger.markers.pop(place, None)

    def get(self, project: str, name: str) -> Erasure | None:
        return self.kept.get((project, name))

    def all(self, project: str) -> list[Erasure]:
        return [one for (of, _), one in sorted(self.kept.items()) if of == project]


class FakeWorkflow:
    """Executions by name; a test moves them on by hand."""

    def __init__(self) -> None:
        self.executions: dict[str, str] = {}
        self.inputs: dict[str, dict[str, Any]] = {}
        self.trouble: PipelineError | None = None

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        if self.trouble:
            raise self.trouble
        if name not in self.executions:
            self.executions[name] = "RUNNING"
            self.inputs[name] = dict(document)

    def status(self, name: str) -> str:
        return self.executions.get(name, "MISSING")

    def arn(self, name: str) -> str:
        return f"arn:aws:states:us-east-1:000000000000:execution:penstock-test-pipeline:{name}"

    def running(self) -> list[str]:
        return [name for name, status in self.executions.items() if status == "RUNNING"]


class FakeRegistry:
    """Model versions by ARN; the same token registers once."""

    def __init__(self) -> None:
        self.groups: dict[str, str] = {}
        self.packages: dict[str, ModelVersion] = {}
        self.requests: list[Mapping[str, Any]] = []
        self._tokens: dict[str, str] = {}
        self._count = 0

    def ensure_group(self, group: str, project: str) -> None:
        self.groups[group] = project

    def find(self, group: str, run: str) -> ModelVersion | None:
        return next((one for one in reversed(self.packages.values()) if one.run == run), None)

    def register(self, group: str, request: Mapping[str, Any]) -> ModelVersion:
        if request["ClientToken"] in self._tokens:
            return self.packages[self._tokens[request["ClientToken"]]]
        self._count += 1
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package/{group}/{self._count}"
        artifact = request["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
        run = request["CustomerMetadataProperties"]["run"]
        self.packages[arn] = ModelVersion(arn, self._count, run, artifact, request["ModelApprovalStatus"])
        self._tokens[request["ClientToken"]] = arn
        self.requests.append(request)
        return self.packages[arn]

    def discard(self, version: ModelVersion) -> None:
        del self.packages[version.arn]

    def describe(self, arn: str) -> ModelVersion:
        return self.packages[arn]

    def versions(self, group: str) -> list[dict[str, Any]]:
        found = reversed(self.packages.values())
        return [{"arn": one.arn, "version": one.version, "approval": one.approval} for one in found]


class FakeJobs:
    """Training jobs that have ended, and which belong to a tuning."""

    def __init__(self) -> None:
        self.ended: dict[str, Candidate] = {}
        self.tunings: dict[str, list[Candidate]] = {}

    def training(self, job: str) -> Candidate:
        return self.ended[job]

    def tuned(self, tuning: str, learner: str) -> list[Candidate]:
        return [replace(one, learner=learner) for one in self.tunings[tuning]]


class FakeEndpoints:
    """Endpoints that stay Creating or Updating until `settle` or `fail` is called."""

    def __init__(self) -> None:
        self.configs: dict[str, Mapping[str, Any]] = {}
        self.served: dict[str, list[Served]] = {}
        self.actual: dict[str, Actual] = {}
        self._coming: dict[str, str] = {}

    def describe(self, name: str) -> Actual | None:
        return self.actual.get(name)

    def prepare(
        self, config: str, served: Sequence[Served], tags: Sequence[Mapping[str, str]], *, capture: int
    ) -> None:
        first = served[0]
        self.configs.setdefault(
            config, {**(first.container or {}), "instance": first.instance, "capture": capture}
        )
        self.served.setdefault(config, list(served))

    def create(self, name: str, config: str, tags: Sequence[Mapping[str, str]]) -> None:
        self.actual.setdefault(name, Actual(name, "Creating", config))
        self._coming[name] = config

    def update(self, name: str, config: str) -> None:
        self.actual[name] = replace(self.actual[name], status="Updating")
        self._coming[name] = config

    def weigh(self, name: str, weights: Mapping[str, float]) -> None:
        actual = self.actual[name]
        assert actual.weights.keys() == weights.keys()
        self.actual[name] = replace(actual, weights=dict(weights))

    def delete(self, name: str) -> None:
        self.actual.pop(name, None)

    def settle(self, name: str) -> None:
        """The endpoint comes into service as asked."""
        config = self._coming[name]
        weights = {one.variant: one.weight for one in self.served.get(config, []) if not one.shadow}
        self.actual[name] = Actual(name, "InService", config, weights=weights)

    def roll_back(self, name: str, reason: str | None = None) -> None:
        """The update fails; the endpoint is InService as before, or Failed if there is no before."""
        now = self.actual[name]
        status = "Failed" if now.status == "Creating" else "InService"
        self.actual[name] = Actual(name, status, now.config, reason)


class FakePredictor:
    """Answers with `answer`, or raises `trouble`."""

    def __init__(self) -> None:
        self.answer: Any = {"predictions": [{"prediction": "yes", "score": 0.9}]}
        self.trouble: PipelineError | None = None
        self.asked: list[tuple[str, Question]] = []

    def ask(self, endpoint: str, question: Question, inference_id: str) -> Answer:
        self.asked.append((endpoint, question))
        if self.trouble:
            raise self.trouble
        return Answer(json.dumps(self.answer).encode(), "application/json", "live", inference_id)


class FakeFiles:
    """Files by key."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.by_erasure: set[str] = set()

    def head(self, key: str) -> Stored | None:
        body = self.contents.get(key)
        if body is None:
            return None
        return Stored(hashlib.md5(body).hexdigest(), len(body), by_erasure=key in self.by_erasure)

    def upload(self, key: str, content_type: str, size: int, seconds: int) -> str:
        return f"https://s3.test/{key}?type={content_type}&size={size}&seconds={seconds}"

    def download(self, key: str, seconds: int) -> str:
        return f"https://s3.test/{key}?seconds={seconds}"

    @contextmanager
    def fetch(self, key: str, most: int) -> Iterator[BinaryIO]:
        if key not in self.contents or len(self.contents[key]) > most:
            raise BadUpload(key, "gone or too large", "Drop it again.")
        yield io.BytesIO(self.contents[key])

    def put(self, key: str, body: bytes | BinaryIO) -> None:
        self.contents[key] = body if isinstance(body, bytes) else body.read()

    def lines(self, key: str, most: int) -> int | None:
        body = self.contents.get(key)
        return None if body is None or len(body) > most else len(body.splitlines())


class FakeTransforms:
    """Transform jobs by name; a test ends them."""

    def __init__(self) -> None:
        self.requests: dict[str, Mapping[str, Any]] = {}
        self.statuses: dict[str, tuple[str, str | None]] = {}
        self.trouble: PipelineError | None = None

    def start(self, request: Mapping[str, Any]) -> None:
        if self.trouble:
            raise self.trouble
        self.requests.setdefault(request["TransformJobName"], request)
        self.statuses.setdefault(request["TransformJobName"], ("InProgress", None))

    def status(self, name: str) -> tuple[str, str | None]:
        return self.statuses[name]


class FakeBackground:
    """What was asked for and nobody has done yet."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.told: list[Listed] = []

    def score(self, batch: str, key: str) -> None:
        self.asked.append((batch, key))

    def dropped(self, upload: Listed) -> None:
        self.told.append(upload)


class FakeFunctions:
    """Functions that run at once; what passes between them is JSON text, as Lambda has it."""

    def __init__(self, ports: FakePorts) -> None:
        self._ports = ports

    def call(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        assert name == "share"
        told = share.run(inbound.share(json.loads(json.dumps(document))), self._ports)
        answer: dict[str, Any] = json.loads(json.dumps(told))
        if "refused" in answer:
            raise rebuilt(answer["refused"])
        return answer


class FakeNotices:
    """Messages that were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, dict[str, str]]] = []
        self.trouble: PipelineError | None = None

    def send(self, subject: str, text: str, attributes: Mapping[str, str]) -> None:
        if self.trouble:
            raise self.trouble
        self.sent.append((subject, text, dict(attributes)))


class FakeSchedules:
    """Schedules by project and kind."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.unreadable: str | None = None
        self.trouble: PipelineError | None = None

    def set(self, project: str, kind: str, expression: str) -> None:
        if self.trouble:
            raise self.trouble
        if expression == self.unreadable:
            raise BadRequest(
                f"{kind} schedule", f"{expression!r} is no schedule", "Use rate(1 day).", status=422
            )
        self.entries[(project, kind)] = expression

    def remove(self, project: str, kind: str) -> None:
        self.entries.pop((project, kind), None)


@dataclass
class FakePorts:
    """All ports, in memory, with the real launcher, reporter and champions on top."""

    settings: Settings = field(default_factory=builders.settings)
    clock: FakeClock = field(default_factory=FakeClock)
    ledger: InMemoryLedger = field(default_factory=InMemoryLedger)
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    workflow: FakeWorkflow = field(default_factory=FakeWorkflow)
    registry: FakeRegistry = field(default_factory=FakeRegistry)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    endpoints: FakeEndpoints = field(default_factory=FakeEndpoints)
    predictor: FakePredictor = field(default_factory=FakePredictor)
    notices: FakeNotices = field(default_factory=FakeNotices)
    schedules: FakeSchedules = field(default_factory=FakeSchedules)
    files: FakeFiles = field(default_factory=FakeFiles)
    transforms: FakeTransforms = field(default_factory=FakeTransforms)
    background: FakeBackground = field(default_factory=FakeBackground)

    @cached_property
    def functions(self) -> FakeFunctions:
        return FakeFunctions(self)

    @cached_property
    def erasures(self) -> InMemoryErasures:
        return InMemoryErasures(self.ledger)

    @cached_property
    def eraser(self) -> Eraser:
        return Eraser(self)

    @cached_property
    def launcher(self) -> Launch:
        return Launch(self.ledger, self.workflow, self.clock)

    @cached_property
    def reporter(self) -> Any:
        return partial(report.run, ports=self)

    @cached_property
    def teller(self) -> Tell:
        return Tell(self.ledger, self.notices)

    @cached_property
    def repairer(self) -> Repair:
        return Repair(self.ledger, self.documents, self.clock, self.settings.bucket)

    def _seconds(self) -> float:
        return self.clock.moment.timestamp()

    @cached_property
    def schemas(self) -> RememberedSchemas:
        return RememberedSchemas(self.documents, self.settings.bucket)

    @cached_property
    def champions(self) -> RememberedChampions:
        return RememberedChampions(self.ledger, now=self._seconds)


class Machine:
    """Walks an execution through the real Claim and Report, with the jobs between them answered by the test."""

    def __init__(self, ports: FakePorts) -> None:
        self.ports = ports
        self.documents: dict[str, dict[str, Any]] = {}

    def claim(self, name: str) -> dict[str, Any]:
        """State Claim, as often as it says that more is coming; a failure goes into the document as a Catch puts it."""
        document = dict(self.ports.workflow.inputs[name])
        try:
            while "claim" not in document or document["claim"].get("status") == "gathering":
                document["claim"] = claim.run(inbound.claim(document), self.ports)
        except PipelineError as error:
            document["error"] = {
                "state": "Claim",
                "Error": error.code,
                "Cause": json.dumps({"errorMessage": str(error)}),
            }
        self.documents[name] = document
        return document

    def prepare(self, name: str) -> None:
        """State Prepare: every claimed upload is taken."""
        document = self.documents[name]
        objects = self.ports.documents.read(document["claim"]["objects_uri"])
        assert objects is not None
        version = document["claim"]["version"]
        words = builders.prepared(document["project"], document["run"], objects["objects"], version=version)
        self.ports.documents.write(document["claim"]["prepare_uri"], words)

    def report(self, name: str, **parts: Any) -> dict[str, Any]:
        """State Report, with whatever the states before it have left; the execution ends."""
        document = {**self.documents.get(name, self.ports.workflow.inputs[name]), **parts}
        answer = report.run(
            RunEnded(document["project"], document["run"], document["attempt"], document), self.ports
        )
        self.ports.workflow.executions[name] = "FAILED" if answer["outcome"] == "failed" else "SUCCEEDED"
        return answer


RELEASED = {
    "gate": {"passed": True, "reason": "macro_f1 0.9 beats the baseline", "metric": "macro_f1", "value": 0.9},
    "register": {
        "package_arn": "arn:aws:sagemaker:::model-package/penstock-test-churn/1",
        "version": 1,
        "approved": True,
    },
    "release": {"status": "released", "endpoint": "penstock-test-churn"},
}
TROUBLE = AwsTrouble("a service", "it is away", "Try again in a moment.")
