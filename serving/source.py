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
            if not missing(requirements):
                return
            log.line("installing", requirements=str(requirements))
            command = [sys.executable, *_PIP, "--upgrade", "--target", str(target), "-r", str(requirements)]
            code = subprocess.call(command, cwd=requirements.parent)
            if code != 0:
                raise StartError(
                    f"pip could not install {requirements} (exit code {code}): see the lines above."
                )
            done.touch()
    sys.path.insert(0, str(target))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(target), os.environ.get("PYTHONPATH"))))


def missing(requirements: Path) -> bool:
    """Whether something it names is not there; a line that cannot be judged counts as missing."""
    from importlib import metadata  # noqa: PLC0415 - 20 ms, and most models have no requirements

    from pip._vendor.packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415

    for line in requirements.read_text(encoding="utf-8").splitlines():
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        try:
            wanted = Requirement(text)
            applies = wanted.marker is None or wanted.marker.evaluate()
            if applies and not wanted.specifier.contains(metadata.version(wanted.name), prereleases=True):
                return True
        except (InvalidRequirement, metadata.PackageNotFoundError):
            return True
    return False


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keep other processes from `target` meanwhile."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
