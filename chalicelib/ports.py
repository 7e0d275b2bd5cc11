"""What the steps need of the world, in the product's own words. chalicelib/adapters speaks AWS behind these;
tests/fakes.py keeps them in memory. Every method raises only errors of chalicelib.errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from chalicelib.domain.bucket import Listed, Stored
from chalicelib.domain.endpoint import Actual, Served
from chalicelib.domain.erasure import Erasure
from chalicelib.domain.ledger import COUNTED, PENDING, Counts, Head, Move, ObjectRecord, Waiting
from chalicelib.domain.model_version import Champion, ModelVersion
from chalicelib.domain.notices import Notice
from chalicelib.domain.prediction import Answer, Question
from chalicelib.domain.ranking import Candidate
from chalicelib.domain.request_schema import RequestSchema
from chalicelib.domain.run import Lease, RunEnded, RunRecord
from chalicelib.domain.upload import Upload
from chalicelib.settings import Settings


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The present moment, in UTC."""


class Ledger(Protocol):
    """Uploads and their verdicts, projects, leases, runs and champions. Every read is strongly consistent."""

    def project(self, name: str) -> dict[str, Any] | None:
        """The project's spec, or None."""

    def projects(self) -> list[str]:
        """Names of all projects, sorted."""

    def put_project(self, spec: Mapping[str, Any], at: str) -> None:
        """Create or replace a project."""

    def record(self, new: ObjectRecord) -> str:
        """Enter an upload and, when it is pending, the marker that it waits; close the upload it replaces.

        All of it or nothing. Answers recorded, known (seen before: nothing changed) or older (closed at birth).
        """

    def delete(self, upload: Upload, project: str) -> str:
        """Close the upload a deletion took away. Answers deleted or known."""

    def restore(self, upload: Upload, project: str, verdict: str) -> str:
        """Open a closed upload again that the bucket shows as the current version. Answers restored or known."""

    def rewrite(self, upload: Upload, old: ObjectRecord) -> str:
        """Let an upload take the place of one it was made of, in the order too. Answers rewritten or older."""

    def head(self, project: str, key: str) -> Head | None:
        """The newest news of a key."""

    def move(self, moves: Sequence[Move], fence: Lease | None = None) -> list[Move]:
        """Change records and their markers; answers those applied. A record changed meanwhile is left alone.

        With a fence, nothing is changed once the lease has gone to somebody else: LeaseLost.
        """

    def waiting(self, project: str) -> list[Waiting]:
        """The uploads that wait for a run."""

    def any_waiting(self, project: str, *, retries: bool) -> bool:
        """Whether an upload waits that may start a run: a fresh one, or (`retries`) one not failed too often."""

    def objects(self, project: str, key: str | None = None) -> list[ObjectRecord]:
        """Records of a project sorted by key, or of one key of it, oldest first."""

    def with_verdict(self, project: str, verdict: str) -> list[ObjectRecord]:
        """Records of a project that have a verdict, sorted by key."""

    def parked(self, project: str) -> list[ObjectRecord]:
        """Records of a project that wait, but have failed too often to be tried again unasked."""

    def some_objects(self, project: str, after: str, limit: int) -> list[ObjectRecord]:
        """The first records of a project, by id, whose id is above `after`."""

    def counts(self, project: str, after: str = "", most: int = COUNTED) -> Counts:
        """How many of the first `most` uploads of a project, by id above `after`, have each verdict."""

    def take_lease(self, project: str, now: datetime) -> Lease | None:
        """Take the project for a new run and enter the run; None while somebody else holds it."""

    def resume(self, lease: Lease, now: datetime) -> Lease | None:
        """Take the same run over for its next attempt; None when the lease is no longer the one given."""

    def lease(self, project: str) -> Lease | None:
        """Who holds the project, or None."""

    def release(self, lease: Lease) -> bool:
        """Give the project back; False when it was not this lease's any more."""

    def give_back(self, lease: Lease) -> None:
        """Undo take_lease: release it and forget its run, which never began."""

    def put_run(self, record: RunRecord) -> None:
        """Create or replace what is kept of a run."""

    def run(self, run: str) -> RunRecord | None:
        """What is kept of a run, or None."""

    def runs(self, project: str) -> list[RunRecord]:
        """A project's runs, newest first."""

    def first_to_tell(self, project: str, run: str, stage: str) -> bool:
        """Whether nobody has said before that people are told of this stage of a run; from now on, somebody has."""

    def champion(self, project: str) -> Champion | None:
        """The released model, or None."""

    def put_champion(self, champion: Champion) -> None:
        """Record which model the endpoint answers with."""

    def keep_champion(self, champion: Champion) -> bool:
        """Change what is kept of the released model; False, and nothing is changed, when another was released since."""


class Erasures(Protocol):
    """Erasures that were asked for. One that waits is among what `Ledger.any_waiting` tells of."""

    def secret(self, project: str) -> str:
        """The project's secret that digests of keys are made with, in hexadecimal digits; made when first asked for."""

    def put(self, asked: Erasure) -> None:
        """Create or replace what is kept of an erasure."""

    def get(self, project: str, name: str) -> Erasure | None:
        """One erasure, or None."""

    def all(self, project: str) -> list[Erasure]:
        """A project's erasures."""


class Documents(Protocol):
    """JSON documents and listings in the stage's bucket."""

    def read(self, uri: str) -> dict[str, Any] | None:
        """The document at an s3:// address, or None when there is none."""

    def write(self, uri: str, document: Mapping[str, Any], *, one_line: bool = False) -> None:
        """Put a document at an s3:// address; in one line where SQL is to read it."""

    def listing(self, prefix: str) -> Iterable[Listed]:
        """Every version of every object of the bucket below a prefix, by key; of one key, uploads newest first."""

    def keys(self, prefix: str) -> Iterable[str]:
        """The objects there are now below a prefix of the bucket."""

    def remove(self, keys: Sequence[str]) -> None:
        """Delete objects of the bucket, in this order; those that are not there are no trouble."""


class Workflow(Protocol):
    """Executions of the state machine, by name."""

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """Start an execution; starting the same one twice is starting it once."""

    def status(self, name: str) -> str:
        """RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or MISSING."""

    def arn(self, name: str) -> str:
        """Where the execution is to be found."""


class Registry(Protocol):
    """Model versions."""

    def ensure_group(self, group: str, project: str) -> None:
        """Create a project's group unless it is there."""

    def find(self, group: str, run: str) -> ModelVersion | None:
        """The model version a run has registered, or None."""

    def register(self, group: str, request: Mapping[str, Any]) -> ModelVersion:
        """Create a model version; `request` holds the members of CreateModelPackage beside the group's name."""

    def discard(self, version: ModelVersion) -> None:
        """Delete a model version that was never released."""

    def describe(self, arn: str) -> ModelVersion:
        """A model version as it is now."""

    def versions(self, group: str) -> list[dict[str, Any]]:
        """The group's model versions, newest first, for people."""


class Jobs(Protocol):
    """Training jobs that have ended."""

    def training(self, job: str) -> Candidate:
        """One, with all its hyperparameters and what it told of the validation rows."""

    def tuned(self, tuning: str, learner: str) -> list[Candidate]:
        """Those of a tuning job, each with what was tuned and its value of the objective."""


class Endpoints(Protocol):
    """Models, their configurations and the endpoints that serve them."""

    def describe(self, name: str) -> Actual | None:
        """The endpoint as it is, or None."""

    def prepare(
        self, config: str, served: Sequence[Served], tags: Sequence[Mapping[str, str]], *, capture: int
    ) -> None:
        """Create the endpoint configuration and its models unless they are there; `capture` in percent of requests."""

    def create(self, name: str, config: str, tags: Sequence[Mapping[str, str]]) -> None:
        """Create an endpoint."""

    def update(self, name: str, config: str) -> None:
        """Move an endpoint to another configuration."""

    def weigh(self, name: str, weights: Mapping[str, float]) -> None:
        """Change the weights of variants that are there, and nothing else."""

    def delete(self, name: str) -> None:
        """Delete an endpoint; its configurations stay."""


class Predictor(Protocol):
    """Asks models."""

    def ask(self, endpoint: str, question: Question, inference_id: str) -> Answer:
        """The model's answer. Raises BadRequest, NotReady, Throttled, TimedOut, JobFailed or AwsTrouble."""


class Files(Protocol):
    """Files of the stage's bucket, by key."""

    def head(self, key: str) -> Stored | None:
        """What lies there, or None."""

    def upload(self, key: str, content_type: str, size: int, seconds: int) -> str:
        """A link to PUT exactly so many bytes of that type with."""

    def download(self, key: str, seconds: int) -> str:
        """A link to GET with."""

    def fetch(self, key: str, most: int) -> AbstractContextManager[BinaryIO]:
        """A copy of the file, gone afterwards. Raises BadUpload when it is larger than `most` bytes, or not there."""

    def put(self, key: str, body: bytes | BinaryIO) -> None:
        """Create or replace a file."""

    def lines(self, key: str, most: int) -> int | None:
        """How many lines a file has; None when it is not there or larger than `most` bytes."""


class Transforms(Protocol):
    """Transform jobs."""

    def start(self, request: Mapping[str, Any]) -> None:
        """Create the job; creating the same one twice is creating it once."""

    def status(self, name: str) -> tuple[str, str | None]:
        """SageMaker's status of the job and, when it failed, its reason."""


class Background(Protocol):
    """Work that a request starts and does not wait for."""

    def score(self, batch: str, key: str) -> None:
        """Have step Score take up a batch; `key` is where its batch.json lies."""

    def dropped(self, upload: Listed) -> None:
        """Tell step Score of an upload, as its lost event would have."""


class Functions(Protocol):
    """The stage's own functions, called and waited for: each may do what its caller may not."""

    def call(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the function answers. Raises the error it refused with."""


class Notices(Protocol):
    """Messages to people."""

    def send(self, subject: str, text: str, attributes: Mapping[str, str]) -> None:
        """Send one message."""


class Schedules(Protocol):
    """Projects' schedules: each calls Recur with its project and kind when its time has come."""

    def set(self, project: str, kind: str, expression: str) -> None:
        """Create or change one: `rate(1 day)`, or `cron(…)` in UTC. Raises BadRequest for what is neither."""

    def remove(self, project: str, kind: str) -> None:
        """Delete one, if it is there."""


class Launcher(Protocol):
    """Starts runs (chalicelib.steps.launch is the one)."""

    def when_waiting(self, project: str, *, retries: bool = False) -> str | None:
        """Start a run if fresh uploads wait and nobody holds the project; `retries`: also for failed ones."""

    def now(self, project: str) -> str:
        """Start a run because a person asked for it. Raises Conflict when one is going."""

    def again(self, lease: Lease) -> str | None:
        """Start the same run's next attempt; None when it has moved on by itself."""


class Reporter(Protocol):
    """Closes runs (chalicelib.steps.report is the one)."""

    def __call__(self, ended: RunEnded) -> dict[str, Any]:
        """Settle, record, tell, release, and start what waits."""


class Teller(Protocol):
    """Tells people of a stage, once a run (chalicelib.steps.tell is the one)."""

    def __call__(self, notice: Notice) -> str:
        """Answers sent, unwanted, told before, or not sent with the reason."""


class Repairer(Protocol):
    """Makes the ledger tell of a key what the bucket shows (chalicelib.steps.repair is the one)."""

    def __call__(
        self, project: str, key: str, *, before: datetime, verdict: str = PENDING, reason: str | None = None
    ) -> int:
        """Enter versions older than `before` as `verdict`, close what is gone, open what is back; how many changed."""

    def enter(self, project: str, only: Listed, *, before: datetime) -> int:
        """The same where the ledger knew nothing of a key and the bucket has one version of it, an old one."""


class Eraser(Protocol):
    """Carries erasures through a run (chalicelib.steps.erase has the one)."""

    def next(self, lease: Lease, spec_uri: str, settled: Sequence[Erasure]) -> dict[str, Any] | None:
        """The job of the oldest erasure that waits, which is now this run's; None when none does."""

    def settle(self, lease: Lease) -> list[Erasure]:
        """Take in what the job has done; the project's erasures as they are then."""


class Ports(Protocol):
    """Everything a step may use; wiring builds each part on first use."""

    @property
    def settings(self) -> Settings:
        """Names of this stage."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def ledger(self) -> Ledger:
        """What is known."""

    @property
    def erasures(self) -> Erasures:
        """Erasures that were asked for."""

    @property
    def eraser(self) -> Eraser:
        """Carries erasures through a run."""

    @property
    def documents(self) -> Documents:
        """JSON in the bucket."""

    @property
    def workflow(self) -> Workflow:
        """The state machine."""

    @property
    def registry(self) -> Registry:
        """Model versions."""

    @property
    def jobs(self) -> Jobs:
        """Training jobs."""

    @property
    def endpoints(self) -> Endpoints:
        """Endpoints."""

    @property
    def predictor(self) -> Predictor:
        """Models that answer."""

    @property
    def files(self) -> Files:
        """Files of the bucket."""

    @property
    def transforms(self) -> Transforms:
        """Transform jobs."""

    @property
    def background(self) -> Background:
        """Work nobody waits for."""

    @property
    def functions(self) -> Functions:
        """The stage's own functions."""

    @property
    def notices(self) -> Notices:
        """Messages to people."""

    @property
    def schedules(self) -> Schedules:
        """Projects' schedules."""

    @property
    def launcher(self) -> Launcher:
        """Starts runs."""

    @property
    def reporter(self) -> Reporter:
        """Closes runs."""

    @property
    def teller(self) -> Teller:
        """Tells people of a stage."""

    @property
    def repairer(self) -> Repairer:
        """Makes the ledger tell what the bucket shows."""

    @property
    def champions(self) -> Champions:
        """Which model answers, remembered for a moment."""

    @property
    def schemas(self) -> Schemas:
        """What models' requests may hold, remembered."""


class Schemas(Protocol):
    """What models' requests may hold."""

    def of(self, run: str) -> RequestSchema:
        """The request schema of the model a run made; an empty one where none was kept."""


class Champions(Protocol):
    """The released models, remembered for a few seconds so that a prediction costs no read of the ledger."""

    def of(self, project: str) -> Champion:
        """A project's released model. Raises NotFound (no project) or NotReady (nothing released)."""

    def only_project(self) -> str:
        """The stage's only project. Raises BadRequest when there is none or more than one."""

    def forget(self, project: str) -> None:
        """Look again next time."""
