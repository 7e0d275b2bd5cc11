"""The instances of a job: their names, groups and addresses, and the files that tell a job of them. Pure.

Every host of a job is a process on this machine with a loopback address of its own, so that two hosts can listen on the
same port as they would on AWS; the addresses of two jobs differ as well. Names resolve to them through the /etc/hosts a
job sees, where the machine allows it one.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Params = dict[str, Any]

DEFAULT_GROUP = "homogeneousCluster"
MOST_INSTANCES = 8  # processes of one job that one machine bears
_INTERFACE, _LOOPBACK = "eth0", "lo"


@dataclass(frozen=True)
class Host:
    """One instance: `algo-<number>`, numbered from 1 across all groups."""

    number: int
    instance_type: str
    group: str = DEFAULT_GROUP

    @property
    def name(self) -> str:
        """What the job calls it."""
        return f"algo-{self.number}"


def of_resources(resources: Params) -> list[Host]:
    """The hosts a ResourceConfig or ClusterConfig asks for, with InstanceGroups or without."""
    groups = resources.get("InstanceGroups") or [{**resources, "InstanceGroupName": DEFAULT_GROUP}]
    named = [
        (group["InstanceType"], group["InstanceGroupName"])
        for group in groups
        for _ in range(group.get("InstanceCount", 1))
    ]
    return [Host(number, *one) for number, one in enumerate(named, start=1)]


def in_groups(hosts: Sequence[Host], groups: Sequence[str]) -> list[Host]:
    """The hosts of the named groups; all of them when no group is named."""
    return [host for host in hosts if not groups or host.group in groups]


def resource_config(hosts: Sequence[Host], current: Host) -> Params:
    """resourceconfig.json as the host `current` reads it."""
    groups: dict[str, Params] = {}
    for host in hosts:
        described = {"instance_group_name": host.group, "instance_type": host.instance_type, "hosts": []}
        groups.setdefault(host.group, described)["hosts"].append(host.name)
    return {
        "current_host": current.name,
        "current_instance_type": current.instance_type,
        "current_group_name": current.group,
        "hosts": [host.name for host in hosts],
        "instance_groups": list(groups.values()),
        # Frameworks bind to this interface's address: among several hosts it has to be the one they meet on.
        "network_interface_name": _INTERFACE if len(hosts) == 1 else _LOOPBACK,
    }


def addresses(arn: str, hosts: Sequence[Host]) -> dict[str, str]:
    """Name → loopback address; another job (`arn`) most likely has others. One host alone is 127.0.0.1."""
    if len(hosts) == 1:
        return {hosts[0].name: "127.0.0.1"}
    high, low = hashlib.sha256(arn.encode()).digest()[:2]
    return {host.name: f"127.{1 + high % 254}.{low}.{host.number}" for host in hosts}


def hosts_file(machine: str, named: dict[str, str]) -> str:
    """/etc/hosts of a job: the machine's own, then the job's hosts."""
    return "".join([machine.rstrip("\n"), "\n", *(f"{at}\t{name}\n" for name, at in named.items())])
