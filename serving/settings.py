"""What the environment says, read once. Names are those of SageMaker's inference toolkit; SERVING_… are our own."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartError

CONTAINER_BASE = Path("/opt/ml")
REAL_TIME_LIMIT_MB = 25  # what InvokeEndpoint lets through; batch transform asks for less (6) by itself
_MB = 1024 * 1024


@dataclass(frozen=True)
class Batching:
    """How requests that wait are taken together; the four numbers are those of TensorFlow Serving's batching file.

    Attributes:
        wanted: True: every model with functions that allow it; False: none; None: those that say they are QUICK.
        largest: requests in one batch.
        wait: seconds a batch that is not full waits for more.
        queue: requests that may wait; one more is answered 429.
    """

    wanted: bool | None
    largest: int
    wait: float
    queue: int


@dataclass(frozen=True)
class Patience:
    """Seconds a connection may take: for the head of a request, and without a request."""

    head: float
    idle: float


@dataclass(frozen=True)
class Settings:
    """Where to listen, which code and model to load, and how much to take on.

    Attributes:
        base: /opt/ml, or what stands for it when there is no container.
        model_dir: the unpacked model.tar.gz, handed to model_fn.
        code_dir: the directory of the user's module, or a tar.gz with it; becomes first on sys.path.
        program: the user's module, a file name in `code_dir`; `program_given`: the environment names it.
        algorithm: importable module served when there is no user's module; "" for none.
        defaults: importable module whose functions stand for those the user's module lacks; "" for ours.
        workers: processes sharing the port.
        threads: predictions running at once in one process.
        batching: which requests are predicted together, and how many may wait.
        patience: how long connections are waited for.
        max_payload: largest request body in bytes; longer is 413.
        accept: content type of answers when the client names none.
        multi_model: models come and go by POST /models and DELETE /models/<name>.
        memory_limit: bytes this process may have resident after loading one more model; None for no limit.
        log_level: of the root logger, as `logging` has it.
    """

    base: Path
    model_dir: Path
    code_dir: Path
    program: str
    program_given: bool
    algorithm: str
    defaults: str
    host: str
    port: int
    workers: int
    threads: int
    batching: Batching
    patience: Patience
    max_payload: int
    accept: str
    multi_model: bool
    memory_limit: int | None
    log_level: int

    @classmethod
    def read(cls, env: Mapping[str, str]) -> "Settings":
        """Return the settings `env` describes; raise StartError naming the variable that makes no sense."""
        base = Path(env.get("SAGEMAKER_BASE_DIR") or CONTAINER_BASE)
        multi = env.get("SAGEMAKER_MULTI_MODEL", "").lower() == "true"
        model_dir = base / ("models" if multi else "model")
        program = env.get("SAGEMAKER_PROGRAM") or "inference.py"
        return cls(
            base=base,
            model_dir=model_dir,
            code_dir=_code(base, env.get("SAGEMAKER_SUBMIT_DIRECTORY")) or model_dir / "code",
            program=program if "." in program else f"{program}.py",
            program_given=bool(env.get("SAGEMAKER_PROGRAM")),
            algorithm=env.get("SERVING_ALGORITHM", ""),
            defaults=env.get("SERVING_DEFAULTS", ""),
            host=env.get("SAGEMAKER_BIND_TO_HOST") or "0.0.0.0",  # noqa: S104 - inside a container; others name it
            port=_number(env, "SAGEMAKER_BIND_TO_PORT", 8080),
            workers=1 if multi else _number(env, "SAGEMAKER_MODEL_SERVER_WORKERS", 1),
            threads=_threads(env),
            batching=_batching(env),
            patience=Patience(
                _number(env, "SERVING_HEAD_SECONDS", 10), _number(env, "SERVING_IDLE_SECONDS", 75)
            ),
            # 0 is what a batch transform says that streams payloads of any size
            max_payload=_number(env, "SAGEMAKER_MAX_PAYLOAD_IN_MB", REAL_TIME_LIMIT_MB, 0) * _MB
            or sys.maxsize,
            accept=env.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or "application/json",
            multi_model=multi,
            memory_limit=_number(env, "SERVING_MEMORY_LIMIT_MB", 1) * _MB
            if env.get("SERVING_MEMORY_LIMIT_MB")
            else None,
            log_level=_number(env, "SAGEMAKER_CONTAINER_LOG_LEVEL", 20),
        )


def below(base: Path, path: Path) -> Path:
    """A path as a container names it; below /opt/ml it means below `base`."""
    return base / path.relative_to(CONTAINER_BASE) if path.is_relative_to(CONTAINER_BASE) else path


def _code(base: Path, text: str | None) -> Path | None:
    if not text:
        return None
    if "://" in text and not text.startswith("file://"):
        raise StartError(
            f"SAGEMAKER_SUBMIT_DIRECTORY is {text}: put the code into model.tar.gz under code/ instead."
        )
    return below(base, Path(text.removeprefix("file://")))


def _threads(env: Mapping[str, str]) -> int:
    threads = _number(env, "SAGEMAKER_MODEL_SERVER_THREADS", os.cpu_count() or 1)
    return _number(env, "SERVING_NUM_BATCH_THREADS", threads)


def _batching(env: Mapping[str, str]) -> Batching:
    said = env.get("SERVING_ENABLE_BATCHING", "").lower()
    if said not in ("", "true", "false"):
        raise StartError(f"SERVING_ENABLE_BATCHING is {said!r}: set true or false, or leave it out.")
    return Batching(
        wanted={"true": True, "false": False}.get(said),
        largest=_number(env, "SERVING_MAX_BATCH_SIZE", 16),
        wait=_number(env, "SERVING_BATCH_TIMEOUT_MICROS", 0, 0) / 1e6,
        queue=_number(env, "SERVING_MAX_ENQUEUED", 10_000),
    )


def _number(env: Mapping[str, str], name: str, default: int, least: int = 1) -> int:
    text = env.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise StartError(
            f"{name} is {text!r}: set a whole number of at least {least}, or leave it out for {default}."
        )
    return int(text)
