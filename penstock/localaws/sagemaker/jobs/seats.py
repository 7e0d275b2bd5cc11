"""A host's place on this machine: its /opt/ml, its home, its limits; and what all hosts of a job share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.jobs import capacity, hosts
from penstock.localaws.sagemaker.jobs.hosts import Host
from penstock.localaws.sagemaker.jobs.transfers import Volume

_DEFAULT_GIGABYTES = 30
_MACHINES_HOSTS = Path("/etc/hosts")


@dataclass(frozen=True)
class Seat:
    """One host's directory, which is its disk: `volume` is what fits on it."""

    host: Host
    directory: Path
    volume: Volume
    hosts_file: Path

    @property
    def ml(self) -> Path:
        """What it sees as /opt/ml."""
        return self.directory / "ml"

    @property
    def home(self) -> Path:
        """Its HOME and TMPDIR."""
        return self.directory / "home"

    def limits(self) -> dict[str, Any]:
        """What a ProcessSpec says of the host besides its command."""
        return {
            "optml": self.ml,
            "memory_limit": capacity.memory_limit(self.host.instance_type),
            "disk_limit": (self.directory, self.volume.limit),
            "hostname": self.host.name,
            "hosts_file": self.hosts_file,
        }


def take(directory: Path, arn: str, members: Sequence[Host], gigabytes: int | None) -> list[Seat]:
    """A seat for each host below `directory`, which is made; `gigabytes` is VolumeSizeInGB."""
    directory.mkdir(parents=True, mode=0o700)
    known = directory / "hosts"
    machine = _MACHINES_HOSTS.read_text(errors="replace") if _MACHINES_HOSTS.exists() else ""
    known.write_text(hosts.hosts_file(machine, hosts.addresses(arn, members)))
    limit = (gigabytes or _DEFAULT_GIGABYTES) * capacity.GIB
    seats = [Seat(host, directory / host.name, Volume(limit), known) for host in members]
    for seat in seats:
        seat.home.mkdir(parents=True)
    return seats
