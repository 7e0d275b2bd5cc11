"""The environment of a job: what it needs and nothing of the person who started the server."""

import os
import sys
from pathlib import Path

from penstock.localaws.execution import layer
from penstock.localaws.execution.place import Place

_LAYER = ".python"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS")


def job_environment(place: Place, home: str, cores: int | None = None) -> dict[str, str]:
    """The environment of a job with `home` as its own directory and `cores` threads for number crunching.

    A `home` that is there gets a Python of its own, to install into; a model server has none to install into.
    """
    threads = str(cores or os.cpu_count() or 1)
    commands = [str(layer.make(Path(home, _LAYER)))] if Path(home).is_dir() else []
    return {
        "PATH": os.pathsep.join((*commands, str(Path(place.python).parent), _SYSTEM_PATH)),
        "HOME": home,
        "TMPDIR": home,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONNOUSERSITE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "MPLCONFIGDIR": home,
        "MPLBACKEND": "Agg",
        # Threads that wait by spinning take the cores from those that work: 10 times slower when two jobs share them.
        "OMP_WAIT_POLICY": "PASSIVE",
        "AWS_ENDPOINT_URL": place.endpoint_url,
        "AWS_REGION": place.region,
        "AWS_DEFAULT_REGION": place.region,
        "AWS_ACCESS_KEY_ID": place.account,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        **({} if sys.platform == "linux" else {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}),
        **dict.fromkeys(_THREAD_LIMITS, threads),
    }
