"""How runs, deployments, uploads and scorecards look in a terminal; plain lines where there is none."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.table import Table

from penstock.client import history
from penstock.client.runs import Runs, Snapshot

_MARKS = {
    "waiting": "[dim]·[/]",
    history.RUNNING: "[cyan]▸[/]",
    history.DONE: "[green]✓[/]",
    history.FAILED: "[red]✗[/]",
}

_SHOWN = 20
"""Candidates shown of a run; candidates.json has all."""
_ENDED = {"done", "unchanged", "removed", "failed"}


class Bars:
    """Named steps, each with a bar and its seconds. Off a terminal, one plain line as each step ends."""

    def __init__(self, console: Console, names: tuple[str, ...] = ()) -> None:
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.fields[mark]}"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[took]}"),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, str] = {}
        for name in names:
            self._task(name)

    def __enter__(self) -> Self:
        if self._live:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._live:
            self._progress.stop()

    def set(self, name: str, status: str, seconds: float, words: str = "") -> None:
        """Show a step as waiting, running, done or failed after so many seconds."""
        took = f"{seconds:6.1f} s" + (f"  {words}" if words else "")
        ended = status in (history.DONE, history.FAILED)
        if self._live:
            total, done = (1.0, 1.0) if ended else (None, 0.0)
            self._progress.update(
                self._task(name), total=total, completed=done, mark=_MARKS[status], took=took
            )
        elif ended and self._said.get(name) != status:
            self._console.print(
                f"{'✓' if status == history.DONE else '✗'} {name:<12} {took}", markup=False, soft_wrap=True
            )
        self._said[name] = status

    def _task(self, name: str) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=1.0, mark=_MARKS["waiting"], took="")
        return self._tasks[name]


class RunView(Bars):
    """A run's states."""

    def __init__(self, console: Console, run: str) -> None:
        super().__init__(console, history.BEFORE)
        self._run = run
        self._way: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._console.print(f"Run {self._run}", markup=False, soft_wrap=True)
        return super().__enter__()

    def update(self, shot: Snapshot) -> None:
        """Show the run as it is now. What comes after Prepare is known once the run has taken its way."""
        taken = {state.name for state in shot.states}
        if not self._way:
            self._way = next((way for name, way in history.WAYS.items() if name in taken), ())
            for name in self._way:
                self._task(name)
        for state in shot.states:
            waits = (
                not self._live and state.name == "Release" and not shot.ended
            )  # it goes round until it serves
            if not waits:
                self.set(state.name, state.status, state.seconds(shot.at))


class Steps(Bars):
    """The parts of a deployment, told by a `progress(name, state)` callback; `seconds` by part, in the end."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._started: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def progress(self, name: str, state: str) -> None:
        """One part has started, or ended in `state`."""
        now = time.monotonic()
        if state == "started":
            self._started[name] = now
            self.set(name, history.RUNNING, 0.0)
            return
        self.seconds[name] = round(now - self._started.get(name, now), 3)
        if state not in _ENDED:
            self.set(name, history.RUNNING, self.seconds[name], state)
            return
        status = history.FAILED if state == "failed" else history.DONE
        self.set(name, status, self.seconds[name], "" if state == "done" else state)


@contextmanager
def upload_bar(console: Console, file: Path) -> Iterator[Callable[[int], None]]:
    """A bar for one upload; yields what to call with the bytes gone."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    size = file.stat().st_size if file.is_file() else None
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(file.name, total=size)
        yield lambda count: progress.advance(task, count)


def ending(console: Console, runs: Runs, last: Snapshot, root: Path) -> dict[str, Any]:
    """Print a run's outcome, scorecard and where its pages are (fetched below `root`); returns them for a machine."""
    run = str(last.record["run"])
    console.print(
        f"{last.record['state'].capitalize()}: {last.record['reason'] or ''}", markup=False, soft_wrap=True
    )
    tried = runs.candidates(run)
    if tried:
        console.print(candidates_table(tried))
    card = runs.scorecard(run)
    if card:
        seen = card.get("rows", {}).get("test")
        console.print(f"Scorecard, on {seen:,} rows it had not seen:" if seen else "Scorecard:")
        console.print(scorecard_table(card))
    folder = root / ".penstock" / "reports"
    data, report = runs.data_report(run, folder), runs.report(run, folder)
    for name, path in (("Data", data), ("Report", report)):
        if path:
            console.print(f"{name}: {path}", markup=False, soft_wrap=True)
    timings = {state.name: round(state.seconds(last.at), 3) for state in last.states}
    return {
        "run": run,
        "record": last.record,
        "seconds": timings,
        "candidates": tried,
        "scorecard": card,
        "report": report,
        "data": data,
    }


def candidates_table(tried: dict[str, Any]) -> Table:
    """What a run tried, best first; of one that failed, the reason."""
    table = Table()
    for name in ("", "candidate", f"{tried['metric']}, validation", "seconds", "est. USD"):
        table.add_column(name, justify="left" if name == "candidate" else "right")
    table.add_column("parameters, or why it failed", overflow="fold")
    for one in tried["candidates"][:_SHOWN]:
        given = ", ".join(f"{name}={value}" for name, value in sorted(one["hyperparameters"].items()))
        cells = [figure(one["value"]), f"{one['seconds'] or 0:.0f}", figure(one["usd"])]
        table.add_row(str(one["rank"]), one["learner"], *cells, one["reason"] or given)
    for learner in tried["left_out"]:
        table.add_row("-", learner, "-", "-", "-", "left out: the budget does not give it a minute")
    return table


def scorecard_table(card: dict[str, Any]) -> Table:
    """The metrics of a scorecard beside its baseline's and the released model's."""
    baseline, champion = card.get("baseline") or {}, card.get("champion") or {}
    table = Table()
    table.add_column("metric")
    table.add_column("this model", justify="right", style="bold")
    table.add_column(str(baseline.get("name", "baseline")), justify="right")
    if champion:
        table.add_column("released model", justify="right")
    for name, value in card.get("metrics", {}).items():
        cells = [figure(value), figure(baseline.get("metrics", {}).get(name))]
        table.add_row(name, *cells, *([figure(champion["metrics"].get(name))] if champion else []))
    return table


def figure(value: Any) -> str:
    """A metric with four digits, or a dash."""
    return f"{float(value):.4f}" if isinstance(value, int | float) else "-"
