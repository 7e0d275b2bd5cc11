"""What a channel is made of: the objects behind a prefix or a manifest, their order, and each host's share of them.

Everything after the listing is pure: an epoch's order comes from the seed and the epoch's number, a host's share from
that order. Shards change with the order, so that on AWS as here a host sees other objects in another epoch.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.jobs import transfers
from penstock.localaws.sagemaker.jobs.recordio import framed
from penstock.localaws.sagemaker.jobs.transfers import Volume

Params = dict[str, Any]
T = TypeVar("T")
_LONGEST_LINE = 100_000  # characters of one line of an augmented manifest, AWS's limit


@dataclass(frozen=True)
class Item:
    """An object of a channel; `path` is where it lies below the channel's directory."""

    bucket: str
    key: str
    path: PurePosixPath


@dataclass(frozen=True)
class Share:
    """Which part of a source one host gets: `position` of `count`; (0, 1) is all of it."""

    position: int = 0
    count: int = 1

    def of(self, things: Sequence[T]) -> list[T]:
        """This host's part. The parts of all hosts are the whole, and differ by one thing at most."""
        return list(things[self.position :: self.count])


def in_epoch(things: Sequence[T], shuffle: Params | None, epoch: int) -> list[T]:
    """The things in the order of an epoch: as they are, or as ShuffleConfig's seed has it for this epoch."""
    ordered = list(things)
    if shuffle is not None:
        random.Random(f"{shuffle['Seed']}/{epoch}").shuffle(ordered)  # noqa: S311  an order, not a secret
    return ordered


def listing(s3: Any, source: Params) -> list[Item]:
    """The objects of an S3Prefix (by key) or a ManifestFile (in its order); raises JobFault when there are none."""
    if source["S3DataType"] == "ManifestFile":
        return _named(s3, source["S3Uri"])
    found = below(s3, source["S3Uri"])
    if not found:
        bucket, _ = transfers.split(source["S3Uri"])
        raise client_error(
            f"Data download failed:Failed to download data. {transfers.nothing_found(source['S3Uri'], bucket)}"
        )
    return found


def below(s3: Any, uri: str) -> list[Item]:
    """The objects whose keys begin as `uri` does, maybe none."""
    bucket, prefix = transfers.split(uri)
    return [Item(bucket, key, transfers.relative(key, prefix)) for key in transfers.keys(s3, bucket, prefix)]


def _named(s3: Any, uri: str) -> list[Item]:
    """`[{"prefix": "s3://bucket/a/"}, "b.csv", …]`"""
    entries = _manifest(s3, uri)
    bucket, prefix = transfers.split(entries[0]["prefix"])
    names = [name for name in entries[1:] if isinstance(name, str)]
    return [Item(bucket, prefix + name, transfers.safe(name)) for name in names]


def _manifest(s3: Any, uri: str) -> list[Any]:
    try:
        entries = json.loads(transfers.read(s3, uri))
        if isinstance(entries, list) and isinstance(entries[0]["prefix"], str):
            return entries
    except (ValueError, LookupError, TypeError) as error:
        raise client_error(f"Data download failed:{uri} is not a manifest file: {error}") from error
    raise client_error(f'Data download failed:{uri} is not a manifest file: no "prefix" in its first entry')


def augmented(s3: Any, uri: str) -> list[Params]:
    """The lines of an augmented manifest, each an object."""
    lines = []
    for number, line in enumerate(transfers.read(s3, uri).decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line) if len(line) <= _LONGEST_LINE else None
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise client_error(
                f"Data download failed:line {number} of {uri} is not a JSON object of at most "
                f"{_LONGEST_LINE} characters"
            )
        lines.append(entry)
    return lines


def download(s3: Any, items: Sequence[Item], target: Path, volume: Volume | None = None) -> None:
    """Every item below `target`, under its own path."""
    transfers.download_all(s3, [(one.bucket, one.key, target / one.path) for one in items], volume)


def epochs(s3: Any, channel: Params, share: Share) -> Callable[[int], Iterator[bytes]]:
    """What goes through a channel's pipe: epoch → bytes. The source is listed now, objects are read as they are due."""
    source, shuffle = channel["DataSource"]["S3DataSource"], channel.get("ShuffleConfig")
    if source["S3DataType"] == "AugmentedManifestFile":
        lines = augmented(s3, source["S3Uri"])
        records: Callable[[Params], Iterator[bytes]] = partial(_attributes, s3, source["AttributeNames"])
        return lambda epoch: _stream(share.of(in_epoch(lines, shuffle, epoch)), records, channel)
    items = listing(s3, source)
    whole: Callable[[Item], Iterator[bytes]] = partial(_content, s3, channel.get("CompressionType") == "Gzip")
    return lambda epoch: _stream(share.of(in_epoch(items, shuffle, epoch)), whole, channel)


def _stream(things: Sequence[T], parts: Callable[[T], Iterator[bytes]], channel: Params) -> Iterator[bytes]:
    """The parts of all things; in RecordIO one record a thing, of an augmented manifest one an attribute."""
    wrapped = channel.get("RecordWrapperType") == "RecordIO"
    single = channel["DataSource"]["S3DataSource"]["S3DataType"] == "AugmentedManifestFile"
    for thing in things:
        if not wrapped:
            yield from parts(thing)
        elif single:
            yield from map(framed, parts(thing))
        else:
            yield framed(b"".join(parts(thing)))


def _content(s3: Any, gzip: bool, item: Item) -> Iterator[bytes]:
    chunks = transfers.chunks(s3, item.bucket, item.key)
    return transfers.gunzipped(chunks, item.key) if gzip else chunks


def _attributes(s3: Any, names: Sequence[str], line: Params) -> Iterator[bytes]:
    """The values of a line in the order of AttributeNames; of `…-ref` what it refers to."""
    for name in names:
        if name not in line:
            raise client_error(
                f"Data download failed:a line of the augmented manifest has no attribute {name!r}"
            )
        value = line[name]
        if name.endswith("-ref"):
            yield transfers.read(s3, str(value))
        else:
            yield (value if isinstance(value, str) else json.dumps(value)).encode()
