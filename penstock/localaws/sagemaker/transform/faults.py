"""What is wrong with one input: it has no output then, and the job ends Failed when the others are done."""

from penstock.localaws.sagemaker.jobs import lifecycle

CLIENT, ALGORITHM, INTERNAL = "ClientError", "AlgorithmError", "InternalServerError"
_SEE_LOGS = "See job logs for more information"


class Stopped(Exception):
    """The job is being stopped; nothing is wrong with the input."""


class BadFile(Exception):
    """An input cannot be transformed. `lines` go to the data log; `blame` begins FailureReason."""

    def __init__(self, blame: str, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.blame = blame
        self.lines = lines


def client_fault(text: str) -> BadFile:
    """The data, or what was asked for, is to blame."""
    return BadFile(CLIENT, f"{CLIENT}: {text}")


def bad_answer(status: int, body: bytes) -> BadFile:
    """The model refused with `status`: below 500 the data is to blame, else the model."""
    said = body.decode("utf-8", "replace").splitlines() or [""]
    if 400 <= status < 500:
        return BadFile(CLIENT, f"{CLIENT}: {status}", "", "Message:", *said)
    return BadFile(ALGORITHM, f"Bad HTTP status received from algorithm: {status}", "", "Message:", *said)


def no_answer(why: str) -> BadFile:
    """The model did not answer at all."""
    return BadFile(INTERNAL, "Unable to get response from algorithm", why)


def reason(blames: set[str]) -> str | None:
    """FailureReason of a job whose bad files blame these; None without any. The model's own faults come first."""
    if ALGORITHM in blames:
        return f"{ALGORITHM}: {_SEE_LOGS}"
    if INTERNAL in blames:
        return lifecycle.INTERNAL_ERROR
    return f"{CLIENT}: {_SEE_LOGS}" if blames else None
