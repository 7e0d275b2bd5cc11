"""The composition root: settings → AWS clients → ports. Nothing happens at import; each part is made on first use."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config

from chalicelib import ports as port
from chalicelib import settings as stage
from chalicelib.adapters.champions import RememberedChampions
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.erasures import DynamoErasures
from chalicelib.adapters.files import S3Files
from chalicelib.adapters.functions import LambdaFunctions
from chalicelib.adapters.s3 import S3Documents
from chalicelib.adapters.sagemaker import SageMakerEndpoints, SageMakerRegistry
from chalicelib.adapters.sagemaker_jobs import SageMakerJobs
from chalicelib.adapters.sagemaker_runtime import SageMakerPredictor
from chalicelib.adapters.scheduler import EventBridgeSchedules
from chalicelib.adapters.schemas import RememberedSchemas
from chalicelib.adapters.sns import SnsNotices
from chalicelib.adapters.ssm import read_parameter
from chalicelib.adapters.stepfunctions import StepFunctionsWorkflow
from chalicelib.adapters.transforms import LambdaBackground, SageMakerTransforms
from chalicelib.domain import limits
from chalicelib.steps import report
from chalicelib.steps.erase import Eraser
from chalicelib.steps.launch import Launch
from chalicelib.steps.repair import Repair
from chalicelib.steps.tell import Tell

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENT = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=3, read_timeout=20)
# API Gateway gives up after 29 s: better our 504 than its own; and a model asked twice is loaded twice.
# (botocore's `max_attempts` counts the retries, not the attempts: 1 would ask twice and take twice the time.)
_PROMPT = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=2,
    read_timeout=limits.MODEL_SECONDS,
)


# The older signature, which botocore still takes for links in some regions, leaves an upload's size unsigned.
_SIGNED = _PATIENT.merge(Config(signature_version="s3v4"))


class Wiring:
    """Every port on AWS; see chalicelib.ports.Ports."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    @cached_property
    def settings(self) -> stage.Settings:
        """Names of this stage."""
        return stage.load(self._environment, partial(read_parameter, self._client("ssm")))

    @cached_property
    def clock(self) -> port.Clock:
        """The time."""
        return SystemClock()

    @cached_property
    def ledger(self) -> port.Ledger:
        """What is known."""
        return DynamoLedger(self._client("dynamodb"), self.settings.table)

    @cached_property
    def erasures(self) -> port.Erasures:
        """Erasures that were asked for."""
        return DynamoErasures(self._client("dynamodb"), self.settings.table)

    @cached_property
    def eraser(self) -> port.Eraser:
        """Carries erasures through a run."""
        return Eraser(self)

    @cached_property
    def documents(self) -> port.Documents:
        """JSON in the bucket."""
        return S3Documents(self._client("s3"), self.settings.bucket)

    @cached_property
    def workflow(self) -> port.Workflow:
        """The state machine."""
        return StepFunctionsWorkflow(self._client("stepfunctions"), self.settings.machine_arn)

    @cached_property
    def registry(self) -> port.Registry:
        """Model versions."""
        return SageMakerRegistry(self._client("sagemaker"))

    @cached_property
    def jobs(self) -> port.Jobs:
        """Training jobs."""
        return SageMakerJobs(self._client("sagemaker"))

    @cached_property
    def endpoints(self) -> port.Endpoints:
        """Endpoints."""
        capture = f"s3://{self.settings.bucket}/capture"
        return SageMakerEndpoints(self._client("sagemaker"), self.settings.jobs_role_arn, capture)

    @cached_property
    def predictor(self) -> port.Predictor:
        """Models that answer."""
        return SageMakerPredictor(self._client("sagemaker-runtime", _PROMPT))

    @cached_property
    def files(self) -> port.Files:
        """Files of the bucket."""
        return S3Files(self._client("s3", _SIGNED), self.settings.bucket)

    @cached_property
    def transforms(self) -> port.Transforms:
        """Transform jobs."""
        return SageMakerTransforms(self._client("sagemaker"))

    @cached_property
    def background(self) -> port.Background:
        """Work nobody waits for."""
        return LambdaBackground(self._client("lambda"), self.settings.stage, self.settings.bucket)

    @cached_property
    def functions(self) -> port.Functions:
        """Functions that may what this one may not."""
        return LambdaFunctions(self._client("lambda", _PROMPT), self.settings.stage)

    @cached_property
    def notices(self) -> port.Notices:
        """Messages to people."""
        return SnsNotices(self._client("sns"), self.settings.topic_arn)

    @cached_property
    def schedules(self) -> port.Schedules:
        """Projects' schedules."""
        names = self.settings
        return EventBridgeSchedules(
            self._client("scheduler"), names.stage, names.recur_function_arn, names.schedule_role_arn
        )

    @cached_property
    def launcher(self) -> port.Launcher:
        """Starts runs."""
        return Launch(self.ledger, self.workflow, self.clock)

    @cached_property
    def reporter(self) -> port.Reporter:
        """Closes runs."""
        return partial(report.run, ports=self)

    @cached_property
    def teller(self) -> port.Teller:
        """Tells people of a stage."""
        return Tell(self.ledger, self.notices)

    @cached_property
    def repairer(self) -> port.Repairer:
        """Makes the ledger tell what the bucket shows."""
        return Repair(self.ledger, self.documents, self.clock, self.settings.bucket)

    @cached_property
    def champions(self) -> port.Champions:
        """Which model answers, remembered for a moment."""
        return RememberedChampions(self.ledger)

    @cached_property
    def schemas(self) -> port.Schemas:
        """What models' requests may hold, remembered."""
        return RememberedSchemas(self.documents, self.settings.bucket)

    @cached_property
    def _session(self) -> Any:
        # boto3's clients are botocore's; boto3 itself would only add 100 ms to each cold start.
        return botocore.session.get_session()

    def _client(self, service: str, config: Config = _PATIENT) -> Any:
        return self._session.create_client(service, config=config)


def doors() -> stage.Doors:
    """Who may call the API: read when the app is made, at deployment as in the function."""
    return stage.doors(os.environ)


@lru_cache(maxsize=1)
def ports() -> Wiring:
    """The ports of this process: one a Lambda, kept while it is warm."""
    return Wiring(os.environ)
