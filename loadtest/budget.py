"""What a run must keep: limits given as options, each told of at the end, and the exit code that says whether all held.

Exit code 0: the budget was kept; 1: it was not, or nothing was measured. Locust's own code for failed requests is
replaced: how many may fail is part of the budget (none, unless it says otherwise).
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from locust import events
from locust.env import Environment


@dataclass(frozen=True)
class Measured:
    """A run: requests and failures, requests a second, and milliseconds by percentile."""

    requests: int
    failures: int
    rps: float
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Verdict:
    """One limit, and whether it held."""

    kept: bool
    said: str


@events.init_command_line_parser.add_listener
def options(parser: ArgumentParser) -> None:
    """The limits; 0 is none."""
    group = parser.add_argument_group("Budget", "the exit code is 1 when one of these does not hold")
    for name, what in (
        ("--max-p50-ms", "half of the answers come within"),
        ("--max-p95-ms", "95 of 100 answers come within"),
        ("--max-p99-ms", "99 of 100 answers come within"),
        ("--min-rps", "answers a second, at least"),
    ):
        group.add_argument(name, type=float, default=0.0, help=f"{what}  [default: 0, no limit]")
    group.add_argument("--max-failures", type=int, default=0, help="requests that may fail  [default: 0]")


@events.quitting.add_listener
def close(environment: Environment, **_: Any) -> None:
    """Say of each limit whether it held, and set the exit code."""
    verdicts = list(judged(measured(environment), vars(environment.parsed_options)))
    for verdict in verdicts:
        print(f"budget: {'kept  ' if verdict.kept else 'BROKEN'}  {verdict.said}", flush=True)
    environment.process_exit_code = 0 if all(verdict.kept for verdict in verdicts) else 1


def measured(environment: Environment) -> Measured:
    """The whole of a run."""
    total = environment.stats.total
    share = total.get_response_time_percentile
    return Measured(
        total.num_requests,
        total.num_failures,
        total.total_rps,
        share(0.5) or 0,
        share(0.95) or 0,
        share(0.99) or 0,
    )


def judged(run: Measured, limits: dict[str, Any]) -> Iterator[Verdict]:
    """A verdict for each limit that was set; without a request there is nothing to keep one with."""
    yield Verdict(run.requests > 0, f"{run.requests:,} requests were made")
    allowed = limits["max_failures"]
    yield Verdict(run.failures <= allowed, f"{run.failures:,} failed; at most {allowed:,} may")
    for name in ("p50", "p95", "p99"):
        most, found = limits[f"max_{name}_ms"], getattr(run, name)
        if most:
            yield Verdict(found <= most, f"{name} {found:,.0f} ms; at most {most:,.0f}")
    if limits["min_rps"]:
        yield Verdict(
            run.rps >= limits["min_rps"], f"{run.rps:,.1f} requests/s; at least {limits['min_rps']:,.1f}"
        )
