"""Who calls: one caller who asks for a prediction again and again, as fast as answers come or at a pace."""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

TEXTS = (
    "That is a really bad service, I hate it!",
    "I have an excellent service!",
    "That was a great experience!",
)
"""The workshop's own: of its load test, its README and its Postman example."""
_SHOWN = 200  # characters of an answer quoted in a failure


@events.init_command_line_parser.add_listener
def options(parser: ArgumentParser) -> None:
    """What a run may be told besides Locust's own options; each can stand in a profile."""
    group = parser.add_argument_group("Penstock")
    group.add_argument("--path", default="/predict", help="what is called  [default: /predict]")
    group.add_argument(
        "--bodies",
        default="",
        help="a file of JSON bodies, one a line, sent in turn  [default: the workshop's texts]",
    )
    group.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="requests a second of each user  [default: 0, as fast as answers come]",
    )
    group.add_argument(
        "--requests", type=int, default=0, help="end after so many  [default: 0, when the time is over]"
    )


@events.test_start.add_listener
def stop_when_enough(environment: Environment, **_: Any) -> None:
    """End the run once it has made as many requests as asked."""
    runner = environment.runner
    most = environment.parsed_options.requests if environment.parsed_options else 0
    ending: list[gevent.Greenlet] = []

    def counted(**_: Any) -> None:
        if runner and not ending and environment.stats.total.num_requests >= most:
            # In a greenlet of its own: quitting kills the users, and this is one of them, so it would end half-way.
            ending.append(gevent.spawn(runner.quit))

    if most:
        environment.events.request.add_listener(counted)


class Caller(FastHttpUser):
    """Sends the bodies in turn. An answer without predictions is a failure, whatever its status says."""

    connection_timeout = 10.0
    network_timeout = 60.0
    _started = count()

    def on_start(self) -> None:
        """Take the run's options; each user begins with another body."""
        asked: Any = self.environment.parsed_options
        self._path: str = asked.path
        self._bodies = bodies(asked.bodies)
        self._turn = count(next(self._started))
        self._paced = constant_throughput(asked.rate) if asked.rate else None
        key = os.environ.get("PENSTOCK_API_KEY")  # no option: a report shows those
        self._headers = {"Content-Type": "application/json", **({"X-Api-Key": key} if key else {})}

    def wait_time(self) -> float:
        """Seconds until the next request; none without a rate."""
        return float(self._paced(self)) if self._paced else 0.0

    @task
    def predict(self) -> None:
        """One request."""
        body = self._bodies[next(self._turn) % len(self._bodies)]
        with self.client.post(
            self._path, data=body, headers=self._headers, name=f"POST {self._path}", catch_response=True
        ) as response:
            problem = wrong(response.status_code, response.text or "")
            if problem:
                response.failure(problem)


def bodies(path: str) -> Sequence[bytes]:
    """The bodies of a file, or the workshop's.

    Raises:
        ValueError: a line is not JSON, or there is none.
    """
    if not path:
        return [json.dumps({"text": text}).encode() for text in TEXTS]
    lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not JSON ({error}); write one body a line") from None
    if not lines:
        raise ValueError(f"{path}: no bodies; write one JSON body a line")
    return [line.encode() for line in lines]


def wrong(status: int, answer: str) -> str | None:
    """What is wrong with an answer; None if it is `{"prediction": …}` or `{"predictions": [{"prediction": …}, …]}`."""
    if status != 200:
        return f"{status or 'no answer'}: {answer[:_SHOWN]}"
    try:
        found = json.loads(answer)
    except ValueError:
        return f"200, and not JSON: {answer[:_SHOWN]}"
    given = found.get("predictions") if isinstance(found, dict) and "predictions" in found else [found]
    sound = (
        isinstance(given, list)
        and given
        and all(isinstance(one, dict) and "prediction" in one for one in given)
    )
    return None if sound else f"200, and no prediction: {answer[:_SHOWN]}"
