"""A Python of the job's own on top of this machine's: it sees every package there is, and pip installs beside them.

What a container may do with its Python a job may do with this one: `pip install` of a script, of a driver or of
requirements.txt fills the job's directory and ends with it. The person's environment stays as it is: pip takes no
package away that lies outside its own prefix.
"""

import os
import site
import sys
import sysconfig
from pathlib import Path

_CONFIG = "home = {home}\ninclude-system-site-packages = false\nversion = {version}\n"
_PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'


def make(directory: Path) -> Path:
    """Make the layer in `directory`, which may hold it already; returns the directory of its commands.

    A virtualenv made by hand, in a millisecond: `venv` needs a hundred times that.
    """
    commands, packages = directory / "bin", directory / _packages()
    commands.mkdir(parents=True, exist_ok=True)
    packages.mkdir(parents=True, exist_ok=True)
    base = Path(getattr(sys, "_base_executable", sys.executable))
    version = ".".join(map(str, sys.version_info[:3]))
    _write(directory / "pyvenv.cfg", _CONFIG.format(home=base.parent, version=version))
    below = "".join(f"import site; site.addsitedir({folder!r})\n" for folder in site.getsitepackages())
    _write(packages / "_below.pth", below)
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        if not (commands / name).is_symlink():
            (commands / name).symlink_to(base)
    for name in ("pip", "pip3"):
        _write(commands / name, _PIP)
        (commands / name).chmod(0o755)
    return commands


def _packages() -> Path:
    """Where a virtualenv of this Python keeps its packages, below its root."""
    paths = sysconfig.get_paths("venv", vars={"base": "", "platbase": ""})
    return Path(paths["purelib"].lstrip(os.sep))


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.write_text(text)
