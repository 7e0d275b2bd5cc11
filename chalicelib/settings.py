"""What one stage is made of: names the foundation wrote into one SSM parameter, read once per cold start."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Misconfigured

STAGE_VARIABLE = "PENSTOCK_STAGE"
NAMES = (
    "stage",
    "bucket",
    "table",
    "machine_arn",
    "topic_arn",
    "glue_job",
    "glue_database",
    "jobs_role_arn",
    "schedule_role_arn",
    "recur_function_arn",
    "code_prefix",
    "images",
    "instance_type",
)


AUTHORISATION_VARIABLE, CORS_VARIABLE = "PENSTOCK_AUTHORISATION", "PENSTOCK_CORS_ORIGIN"
AUTHORISATIONS = ("none", "iam", "key")


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may call the API (`none`: anybody, `iam`: AWS signatures, `key`: API keys), and from which web pages."""

    authorisation: str = "none"
    cors_origin: str = ""


def doors(environment: Mapping[str, str]) -> Doors:
    """The doors' settings; API Gateway keeps to them, so they are read when the stage is deployed, too."""
    asked = environment.get(AUTHORISATION_VARIABLE) or "none"
    if asked not in AUTHORISATIONS:
        known = ", ".join(AUTHORISATIONS)
        raise Misconfigured(
            AUTHORISATION_VARIABLE, f"{asked!r} is not one of {known}", "Correct .chalice/config.json."
        )
    return Doors(asked, environment.get(CORS_VARIABLE, ""))


def parameter_name(stage: str) -> str:
    """The SSM parameter the foundation writes for a stage."""
    return f"/penstock/{stage}/foundation"


@dataclass(frozen=True, slots=True)
class Settings:
    """Names and places of one stage; see docs/settings.md for the meaning of each."""

    stage: str
    bucket: str
    table: str
    machine_arn: str
    topic_arn: str
    glue_job: str
    glue_database: str
    jobs_role_arn: str
    schedule_role_arn: str
    recur_function_arn: str
    code_prefix: str
    images: Mapping[str, str]
    instance_type: str

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, where: str) -> Settings:
        """Build from the parameter's document; names everything that is missing at once."""
        missing = [name for name in NAMES if not document.get(name)]
        images = document.get("images")
        if isinstance(images, Mapping):
            missing += [
                f"images.{name}" for name in ("sklearn", "xgboost", "pytorch") if not images.get(name)
            ]
        if missing:
            raise Misconfigured(
                where, f"missing {', '.join(missing)}", "Run `penstock deploy` for this stage again."
            )
        return cls(**{name: document[name] for name in NAMES})


def load(environment: Mapping[str, str], read: Callable[[str], str]) -> Settings:
    """Settings of the stage named in the environment; `read` gets the text of an SSM parameter by name."""
    stage = environment.get(STAGE_VARIABLE, "")
    if not stage:
        raise Misconfigured("environment", f"{STAGE_VARIABLE} is not set", "Set it in .chalice/config.json.")
    name = parameter_name(stage)
    try:
        document = json.loads(read(name))
    except ValueError as error:
        raise Misconfigured(
            name, f"not JSON: {error}", "Run `penstock deploy` for this stage again."
        ) from error
    return Settings.from_document(document, where=name)
