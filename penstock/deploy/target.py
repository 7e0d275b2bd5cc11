"""Where a deployment goes: the stage, the account and region, and every name that follows from them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from penstock.errors import PenstockError

APP = "penstock"
_RETRIES = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5)


class DeployError(PenstockError):
    """A deployment or its removal could not go on."""


@dataclass(frozen=True)
class Deployed:
    """Where a deployed stage answers; `api_url` has no trailing slash, `embedded` means not on AWS itself."""

    stage: str
    bucket: str
    machine_arn: str
    api_url: str
    region: str
    embedded: bool
    authorisation: str = "none"


class Target:
    """One stage in one account and region, reached through boto3's ordinary configuration.

    AWS_ENDPOINT_URL decides whether that is AWS or an embedded one; nothing here asks which.
    """

    def __init__(self, stage: str, root: Path, session: boto3.Session | None = None) -> None:
        self.stage = stage
        self.root = root
        self._session = session or boto3.Session()
        self.region = self._session.region_name or ""
        if not self.region:
            raise DeployError(
                "deploy", "no region is set", "Set AWS_REGION, or a region in your AWS profile."
            )
        self._account = ""
        self._check_stage()

    def client(self, service: str) -> Any:
        """A boto3 client of this session (boto3 types its clients at run time only)."""
        return self._session.client(service, config=_RETRIES)  # type: ignore[call-overload]

    @property
    def account(self) -> str:
        """The account number; asks STS once, which also proves that the credentials work."""
        if not self._account:
            try:
                self._account = self.client("sts").get_caller_identity()["Account"]
            except (BotoCoreError, ClientError) as error:
                advice = "Check your AWS credentials, or start the embedded AWS with `penstock up`."
                raise DeployError("deploy", f"AWS does not answer: {error}", advice) from error
        return self._account

    @property
    def bucket(self) -> str:
        """The stage's bucket."""
        return f"{APP}-{self.stage}-{self.account}-{self.region}"

    @property
    def prefix(self) -> str:
        """What every other name of the stage starts with."""
        return f"{APP}-{self.stage}"

    @property
    def stack(self) -> str:
        """The CloudFormation stack of the foundation."""
        return f"{self.prefix}-foundation"

    @property
    def machine_arn(self) -> str:
        """The state machine."""
        return f"arn:aws:states:{self.region}:{self.account}:stateMachine:{self.prefix}-pipeline"

    @property
    def parameters_file(self) -> Path:
        """The stage's own template parameters."""
        return self.root / "statemachine" / "parameters" / f"{self.stage}.json"

    def parameters(self) -> dict[str, str]:
        """Template parameters of the stage, from statemachine/parameters/<stage>.json."""
        return {str(k): str(v) for k, v in json.loads(self.parameters_file.read_text()).items()}

    def _check_stage(self) -> None:
        config = json.loads((self.root / ".chalice" / "config.json").read_text())
        if self.stage not in config["stages"] or not self.parameters_file.is_file():
            known = ", ".join(sorted(config["stages"]))
            advice = f"Use one of {known}, or add it to .chalice/config.json and statemachine/parameters/."
            raise DeployError("deploy", f"stage {self.stage!r} is not configured", advice)
