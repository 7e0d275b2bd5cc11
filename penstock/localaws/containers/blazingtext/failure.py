"""How this program says why it failed: the platform takes FailureReason from the file `output/failure`."""

import sys
from pathlib import Path
from typing import NoReturn


class UserError(Exception):
    """The job's owner has to put something right: data, channel or hyperparameter."""


def end(base: Path, error: Exception) -> NoReturn:
    """Write the reason below `base` (/opt/ml) and to standard error, and end with a code that is not 0."""
    mine = isinstance(error, UserError)
    reason = f"ClientError: {error}" if mine else f"AlgorithmError: {type(error).__name__}: {error}"
    (base / "output").mkdir(parents=True, exist_ok=True)
    (base / "output/failure").write_text(reason, encoding="utf-8")
    sys.stderr.write(f"{reason}\n")
    sys.exit(2 if mine else 1)
