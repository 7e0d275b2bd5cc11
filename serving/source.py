"""Before the first model is loaded: the user's code unpacked, and what its requirements.txt names installed.

Both go below the base directory, which the processes of one endpoint share: the first of them does it.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from serving import log
from serving.errors import StartError
from serving.settings import Settings

_PIP = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet")
_NAMING = ("-e", "--editable", "-r", "--requirement")  # options that name something to install


def prepare(settings: Settings) -> Settings:
    """Return the settings with the code as a directory; raise StartError when it cannot be used."""
    if settings.code_dir.is_file():
        settings = replace(settings, code_dir=_unpacked(settings.code_dir, settings.base / "code"))
    requirements = settings.code_dir / "requirements.txt"
    if not settings.multi_model and requirements.is_file():  # AWS installs none for models that come and go
        _install(requirements, settings.base / "packages")
    return settings


def _unpacked(archive: Path, target: Path) -> Path:
    with _alone(target):
        if not target.is_dir():
            partial = target.with_name(target.name + ".partial")
            shutil.rmtree(partial, ignore_errors=True)
            try:
                with tarfile.open(archive) as opened:
                    opened.extractall(partial, filter="data")  # nothing in it may reach outside
            except (tarfile.TarError, OSError, EOFError) as error:
                raise StartError(f"{archive} is not a usable tar.gz of the code: {error}") from error
            partial.rename(target)
    return target


def _install(requirements: Path, target: Path) -> None:
    """Install what is missing into `target`, before everything else on sys.path, here and in the workers."""
    with _alone(target):
        done = target / f".{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
        if not done.exists():
            lines = missing(requirements)
            if not lines:
                return
            log.line("installing", requirements=lines)
            wanted = _listed(requirements, lines)
            command = [sys.executable, *_PIP, "--upgrade", "--target", str(target), "-r", str(wanted)]
            code = subprocess.call(command, cwd=requirements.parent)
            if code != 0:
                raise StartError(
                    f"pip could not install {requirements} (exit code {code}): see the lines above."
                )
            done.touch()
    sys.path.insert(0, str(target))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(target), os.environ.get("PYTHONPATH"))))


def _listed(requirements: Path, lines: list[str]) -> Path:
    """A file of these lines beside the original, as they may name files beside it; where none may be, the original."""
    wanted = requirements.with_name(".requirements-missing.txt")
    try:
        wanted.write_text("\n".join(lines), encoding="utf-8")
    except OSError:  # /opt/ml/model is mounted to be read only
        return requirements
    return wanted


def missing(requirements: Path) -> list[str]:
    """Its lines that name something which is not there, and pip's options; nothing when only options are left.

    A line that cannot be judged counts as missing.
    """
    lines = [
        line.partition(" #")[0].strip() for line in requirements.read_text(encoding="utf-8").splitlines()
    ]
    lines = [line for line in lines if line and not line.startswith("#") and not _there(line)]
    options_only = all(line.startswith("-") and not line.startswith(_NAMING) for line in lines)
    return [] if options_only else lines


def _there(line: str) -> bool:
    from importlib import metadata  # noqa: PLC0415 - 20 ms, and most models have no requirements

    from pip._vendor.packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    try:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            return True
        return bool(wanted.specifier.contains(metadata.version(wanted.name), prereleases=True))
    except (InvalidRequirement, metadata.PackageNotFoundError):
        return False


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other processes from `target` meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
