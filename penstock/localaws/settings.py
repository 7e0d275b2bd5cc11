"""Where the embedded AWS keeps its things below a project's root, and the environment it runs in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
DEFAULT_PORT = 4566
ACCOUNT = "000000000000"
REGION = "us-east-1"
CODE_ROOT = Path(__file__).resolve().parents[2]

# What we never use, off: each costs start time, memory or an open port. DOCKER_HOST names a socket that does not
# exist, which is MiniStack's own test for "no Docker here".
_OFF = {
    "SFTP_ENABLED": "0",
    "IOT_MTLS_ENABLED": "0",
    "DOCKER_HOST": "unix:///nonexistent/docker.sock",
    "LAMBDA_EXECUTOR": "local",
}
# Settings of a person's shell that would reach the functions and jobs started here and point them at a real account,
# or at modules AWS would not have.
_STRIPPED = ("AWS_", "MINISTACK_", "LOCALSTACK_", "PYTHONPATH", "PYTHONHOME", "SERVICES", "USE_SSL", "SFN_")


_TESTING = "PENSTOCK_TESTING"


@dataclass(frozen=True)
class Layout:
    """The files of one embedded AWS; `root` is the project's checkout."""

    root: Path

    @property
    def home(self) -> Path:
        """Everything of ours: delete it (when nothing runs) and the embedded AWS starts empty."""
        return self.root / ".penstock" / "aws"

    @property
    def state(self) -> Path:
        """One JSON file a service, rewritten while the server runs."""
        return self.home / "state"

    @property
    def objects(self) -> Path:
        """The bodies of S3 objects, written as they arrive."""
        return self.home / "s3"

    @property
    def scratch(self) -> Path:
        """Unpacked Lambda code and other temporary files; emptied at every start."""
        return self.home / "tmp"

    @property
    def sagemaker(self) -> Path:
        """Jobs, models and endpoints of the SageMaker plane."""
        return self.home / "sagemaker"

    @property
    def glue(self) -> Path:
        """Working directories of Glue job runs."""
        return self.home / "glue"

    @property
    def record(self) -> Path:
        """Who runs: pid, port, when it started and as which process."""
        return self.home / "server.json"

    @property
    def log(self) -> Path:
        """What the server and its services say."""
        return self.home / "server.log"

    @property
    def lock(self) -> Path:
        """Held while starting or stopping, so that two of them cannot cross."""
        return self.home / "control.lock"


def layout(root: Path) -> Layout:
    """The layout below `root`, made absolute; nothing is created."""
    return Layout(Path(root).expanduser().resolve())


def endpoint_url(port: int) -> str:
    """The address clients use."""
    return f"http://{HOST}:{port}"


def environment(
    inherited: Mapping[str, str], where: Layout, port: int, testing: bool = False
) -> dict[str, str]:
    """The server's environment: MiniStack's switches on top of `inherited` without what would leak into functions.

    `testing` opens the paths of `testing.Testing`; what `inherited` says of it does not count.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_STRIPPED)}
    return {
        **kept,
        **_OFF,
        "BIND_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "EDGE_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(where.state),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(where.objects),
        "TMPDIR": str(where.scratch),
        "LOG_LEVEL": inherited.get("PENSTOCK_LOG_LEVEL", "INFO"),
        "PYTHONUNBUFFERED": "1",
        _TESTING: "1" if testing else "0",
    }


def testing(own: Mapping[str, str]) -> bool:
    """Whether the server whose environment `own` is was started for tests."""
    return own.get(_TESTING) == "1"


def private_directories(where: Layout) -> None:
    """Create what the server writes to, readable by its owner only (buckets may hold personal data)."""
    for directory in (where.home, where.state, where.objects, where.scratch):
        directory.mkdir(parents=True, exist_ok=True)
        os.chmod(directory, 0o700)
