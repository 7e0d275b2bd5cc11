"""Shards, orders, hosts, RecordIO, mirrors, limits: the pure parts of running a job on several hosts."""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import capacity, hosts, recordio, transfers
from penstock.localaws.sagemaker.jobs.capacity import GIB, Machine
from penstock.localaws.sagemaker.jobs.mirror import changes
from penstock.localaws.sagemaker.jobs.processing import decoded_message
from penstock.localaws.sagemaker.jobs.sources import Share, in_epoch


@given(st.lists(st.integers()), st.integers(1, 9))
def test_shards_are_the_whole_without_overlap(things: list[int], count: int) -> None:
    parts = [Share(position, count).of(things) for position in range(count)]
    assert sorted(one for part in parts for one in part) == sorted(things)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.lists(st.integers(), unique=True), st.integers(), st.integers(0, 5))
def test_an_epochs_order_is_the_seeds(things: list[int], seed: int, epoch: int) -> None:
    order = in_epoch(things, {"Seed": seed}, epoch)
    assert sorted(order) == sorted(things)
    assert order == in_epoch(things, {"Seed": seed}, epoch)
    assert in_epoch(things, None, epoch) == things


@given(st.lists(st.binary(max_size=50)))
def test_what_was_framed_can_be_read(records: list[bytes]) -> None:
    stream = b"".join(map(recordio.framed, records))
    assert len(stream) % 4 == 0
    assert list(recordio.records(stream)) == records


def test_what_is_no_record_is_refused() -> None:
    with pytest.raises(ValueError, match="no RecordIO record at byte 0"):
        list(recordio.records(b"12345678"))


@given(st.lists(st.binary(max_size=200), min_size=1), st.integers(1, 40))
def test_gzip_members_one_after_another_unpack_in_any_pieces(members: list[bytes], size: int) -> None:
    packed = b"".join(zlib.compress(one, wbits=31) for one in members)
    pieces = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(transfers.gunzipped(pieces, "x")) == b"".join(members)


def test_what_is_not_gzip_fails_the_download() -> None:
    with pytest.raises(JobFault, match="x is not compressed with gzip"):
        list(transfers.gunzipped(iter([b"plain text, really"]), "x"))


def test_hosts_are_numbered_across_groups() -> None:
    groups = [
        {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 2},
        {"InstanceGroupName": "b", "InstanceType": "ml.c5.xlarge", "InstanceCount": 1},
    ]
    found = hosts.of_resources({"InstanceGroups": groups})
    assert [(one.name, one.group) for one in found] == [("algo-1", "a"), ("algo-2", "a"), ("algo-3", "b")]
    config = hosts.resource_config(found, found[2])
    assert [group["hosts"] for group in config["instance_groups"]] == [["algo-1", "algo-2"], ["algo-3"]]
    assert [one.name for one in hosts.in_groups(found, ["b"])] == ["algo-3"]


def test_one_host_is_described_as_on_aws() -> None:
    (host,) = hosts.of_resources({"InstanceType": "ml.c5.xlarge", "InstanceCount": 1})
    assert hosts.resource_config([host], host) == {
        "current_group_name": "homogeneousCluster",
        "current_host": "algo-1",
        "current_instance_type": "ml.c5.xlarge",
        "hosts": ["algo-1"],
        "instance_groups": [
            {
                "hosts": ["algo-1"],
                "instance_group_name": "homogeneousCluster",
                "instance_type": "ml.c5.xlarge",
            }
        ],
        "network_interface_name": "eth0",
    }


@given(st.text(), st.integers(2, hosts.MOST_INSTANCES))
def test_every_host_has_a_loopback_address_of_its_own(arn: str, count: int) -> None:
    members = [hosts.Host(n, "ml.m5.large") for n in range(1, count + 1)]
    named = hosts.addresses(arn, members)
    assert len(set(named.values())) == count
    for address in named.values():
        parts = [int(part) for part in address.split(".")]
        assert parts[0] == 127
        assert all(0 <= part <= 255 for part in parts)
    assert hosts.hosts_file("127.0.0.1 localhost\n", named).count("algo-") == count


@pytest.mark.parametrize(
    ("kind", "gib"),
    [
        ("ml.m5.large", 8),
        ("ml.m5.24xlarge", 384),
        ("ml.c5.xlarge", 8),
        ("ml.c5n.2xlarge", 16),
        ("ml.r5d.2xlarge", 64),
        ("ml.t3.medium", 4),
        ("ml.g4dn.xlarge", 16),
        ("ml.m7i-flex.large", 8),
    ],
)
def test_an_instance_type_has_its_memory(kind: str, gib: int) -> None:
    assert capacity.instance_memory(kind) == gib * GIB


@pytest.mark.parametrize("kind", ["ml.q9.large", "ml.m5.metal", "ml", "local"])
def test_of_an_unknown_instance_type_the_machine_is_the_limit(kind: str) -> None:
    assert capacity.instance_memory(kind) is None
    assert 0 < capacity.memory_limit(kind) <= capacity.total_memory()


def test_a_machine_says_what_it_is_short_of(tmp_path: "object") -> None:
    def machine(memory: int, disk: int) -> str | None:
        return Machine(tmp_path, memory=lambda: memory, disk=lambda _: disk).shortage()  # type: ignore[arg-type]

    assert machine(4 * GIB, 4 * GIB) is None
    assert machine(100 << 20, 4 * GIB) == (
        "Waiting: this machine has 100 MiB of memory free, and a job starts with 256 MiB"
    )
    assert "MiB of disk free" in (machine(4 * GIB, 0) or "")


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)), max_size=8))
def test_a_mirror_ends_up_with_what_is_there(looks: list[dict[str, int]]) -> None:
    """Whatever a directory goes through, the last look leaves S3 with just what is in it."""
    stored: dict[str, tuple[int, int]] = {}
    before: dict[str, tuple[int, int]] = {}
    for look in [*looks, looks[-1] if looks else {}]:
        now = {name: (0, size) for name, size in look.items()}
        due = changes(stored, before, now)
        assert all(before[name] == now[name] for name in due.store)  # nothing that is being written
        for name in due.store:
            stored[name] = now[name]
        for name in due.remove:
            del stored[name]
        before = now
    assert stored == before


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (b"all well", "all well"),
        (b"", ""),
        (("ä" * 600).encode()[:1024], "ä" * 512),
        (b"a" + ("ä" * 600).encode()[:1023], "a" + "ä" * 511),
    ],
)
def test_an_exit_message_is_cut_between_characters(written: bytes, text: str) -> None:
    assert decoded_message(written) == text


@pytest.mark.parametrize("written", [b"\xff\xfe", b"abc\xc3"])
def test_an_exit_message_that_is_no_utf8_is_a_client_error(written: bytes) -> None:
    with pytest.raises(JobFault, match=r"^ClientError: The exit message"):
        decoded_message(written)


def test_a_volume_is_full_by_the_byte() -> None:
    volume = transfers.Volume(90)
    volume.exempt(10)
    assert volume.limit == 100
    volume = transfers.Volume(100)
    volume.take(60)
    volume.take(40)
    with pytest.raises(JobFault, match="Insufficient disk space"):
        volume.take(1)


def test_the_order_of_two_epochs_differs_for_most_seeds() -> None:
    things = list(range(10))
    seeds = random.Random(1).sample(range(10_000), 50)
    assert all(in_epoch(things, {"Seed": one}, 0) != in_epoch(things, {"Seed": one}, 1) for one in seeds)
