"""Channels of a training job on its hosts: downloaded files, read-only files, or pipes that are fed."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.localaws.execution import watch
from penstock.localaws.sagemaker.jobs import optml, sources
from penstock.localaws.sagemaker.jobs.pipes import Feed
from penstock.localaws.sagemaker.jobs.seats import Seat
from penstock.localaws.sagemaker.jobs.sources import Share

Params = dict[str, Any]


def mode(channel: Params, default: str) -> str:
    """File, FastFile or Pipe."""
    return str(channel.get("InputMode", default))


def share(channel: Params, seat: Seat, seats: Sequence[Seat]) -> Share:
    """Which part of a channel a host gets: all of it, or its shard among the hosts the channel is for."""
    if channel["DataSource"]["S3DataSource"].get("S3DataDistributionType") != "ShardedByS3Key":
        return Share()
    reached = [one.host for one in seats if optml.reaches(channel, one.host)]
    return Share(reached.index(seat.host), len(reached))


def deliver(s3: Any, channel: Params, default_mode: str, seats: Sequence[Seat]) -> list[Feed]:
    """Put a channel where its hosts look for it; what has to be fed while they run. Raises JobFault."""
    reached = [seat for seat in seats if optml.reaches(channel, seat.host)]
    if mode(channel, default_mode) == "Pipe":
        return [_pipe(s3, channel, share(channel, seat, seats), seat) for seat in reached]
    items = sources.listing(s3, channel["DataSource"]["S3DataSource"])
    ordered = sources.in_epoch(items, channel.get("ShuffleConfig"), 0)
    streamed = mode(channel, default_mode) == "FastFile"
    for seat in reached:
        target = seat.ml / "input/data" / channel["ChannelName"]
        target.mkdir()
        part = share(channel, seat, seats).of(ordered)
        sources.download(s3, part, target, None if streamed else seat.volume)
        if streamed:  # AWS reads it from S3 while the job runs: it takes nothing of the volume
            seat.volume.exempt(watch.occupied(target))
            _protect(target)
    return []


def read_only(request: Params, seat: Seat) -> tuple[str, ...]:
    """The paths of a host's FastFile channels, as it sees them."""
    default = request["AlgorithmSpecification"]["TrainingInputMode"]
    return tuple(
        f"/opt/ml/input/data/{channel['ChannelName']}"
        for channel in request.get("InputDataConfig", [])
        if mode(channel, default) == "FastFile" and optml.reaches(channel, seat.host)
    )


def _pipe(s3: Any, channel: Params, part: Share, seat: Seat) -> Feed:
    return Feed(seat.ml / "input/data", channel["ChannelName"], sources.epochs(s3, channel, part))


def _protect(directory: Path) -> None:
    """Where there is no mount to make read-only, at least the files are."""
    for parent, _, names in os.walk(directory):
        for name in names:
            os.chmod(os.path.join(parent, name), 0o444)
