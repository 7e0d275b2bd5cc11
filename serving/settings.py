"""What the environment says, read once. Names are those of SageMaker's inference toolkit."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartError

CONTAINER_BASE = Path("/opt/ml")
MB = 1024 * 1024
REAL_TIME_LIMIT_MB = 25  # what InvokeEndpoint lets through; batch transform asks for less (6) by itself


@dataclass(frozen=True)
class Settings:
    """Where to listen, which code and model to load, and how much to take on.

    Attributes:
        model_dir: the unpacked model.tar.gz, handed to model_fn.
        code_dir: the directory of the user's module; becomes first on sys.path.
        program: the user's module, a file name in `code_dir`.
        workers: processes sharing the port.
        threads: predictions running at once in one process.
        max_payload: largest request body in bytes; longer is 413.
        accept: content type of answers when the client names none.
    """

    model_dir: Path
    code_dir: Path
    program: str
    host: str
    port: int
    workers: int
    threads: int
    max_payload: int
    accept: str

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Settings":
        """Return the settings `env` describes; raise StartError naming the variable that makes no sense."""
        base = Path(env.get("SAGEMAKER_BASE_DIR") or CONTAINER_BASE)
        return cls(
            model_dir=base / "model",
            code_dir=_below(base, env.get("SAGEMAKER_SUBMIT_DIRECTORY") or "/opt/ml/model/code"),
            program=env.get("SAGEMAKER_PROGRAM") or "inference.py",
            host=env.get("SAGEMAKER_BIND_TO_HOST") or "0.0.0.0",  # noqa: S104 - inside a container; others name it
            port=_number(env, "SAGEMAKER_BIND_TO_PORT", 8080),
            workers=_number(env, "SAGEMAKER_MODEL_SERVER_WORKERS", 1),
            threads=_number(env, "SAGEMAKER_MODEL_SERVER_THREADS", os.cpu_count() or 1),
            # 0 is what a batch transform says that streams payloads of any size
            max_payload=_number(env, "SAGEMAKER_MAX_PAYLOAD_IN_MB", REAL_TIME_LIMIT_MB, 0) * MB
            or sys.maxsize,
            accept=env.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "application/json",
        )


def _below(base: Path, text: str) -> Path:
    """Return the code directory; a path under /opt/ml means under `base` when there is no container."""
    if "://" in text and not text.startswith("file://"):
        raise StartError(
            f"SAGEMAKER_SUBMIT_DIRECTORY is {text}: put the code into model.tar.gz under code/ instead."
        )
    path = Path(text.removeprefix("file://"))
    return base / path.relative_to(CONTAINER_BASE) if path.is_relative_to(CONTAINER_BASE) else path


def _number(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise StartError(
            f"{name} is {text!r}: set a whole number of at least {least}, or leave it out for {default}."
        )
    return int(text)
