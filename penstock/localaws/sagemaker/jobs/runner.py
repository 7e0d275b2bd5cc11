"""Runs jobs: carries out the lifecycle's instructions, one thread a job, as many jobs at once as there are cores.

Everything a job becomes is written to the store before anybody is told. `post` is the only way a job changes.
"""

import dataclasses
import logging
import os
import queue
import shutil
import threading
from collections import deque
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.lifecycle import Event, Instruction
from penstock.localaws.sagemaker.jobs.work import Kind, Record, Running, Work
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")
_ENDED_WAIT_SECONDS = 1.0
_THREAD_SECONDS = 10.0  # a download under way when everything is reset


class Live:
    """A job under way: its record, its thread's instructions and, while it runs, its process."""

    def __init__(self, kind: Kind, record: Record, work: Work, directory: Path) -> None:
        self.kind = kind
        self.record = record
        self.work = work
        self.directory = directory
        self.todo: queue.SimpleQueue[Instruction] = queue.SimpleQueue()
        self.running: Running | None = None
        self.terminated = False
        self.timer: threading.Timer | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Kind and name."""
        return self.record.kind, self.record.name


class Runner:
    """All running jobs of a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._changed = threading.Condition(threading.RLock())
        self._live: dict[tuple[str, str], Live] = {}
        self._waiting: deque[Live] = deque()
        self._places = max(1, os.cpu_count() or 1)
        self._taken = 0
        self._closing = False
        self._threads: list[threading.Thread] = []

    def submit(self, kind: Kind, record: Record) -> None:
        """Run a job whose record has just been stored, now or when there is a place."""
        directory = self._plane.place.root / "jobs" / kind.name / record.name
        live = Live(kind, record, kind.begin(self._plane, record, directory), directory)
        with self._changed:
            self._live[live.key] = live
            self._announce(live, record)
            self._waiting.append(live)
            self._admit()
            if live in self._waiting:
                self.post(live, lifecycle.Queued(self._plane.clock.now()))

    def stop(self, kind: Kind, name: str) -> bool:
        """Ask a job to end; False when it is not under way."""
        with self._changed:
            live = self._live.get((kind.name, name))
            if live is None:
                return False
            self.post(live, lifecycle.StopRequested(self._plane.clock.now()))
            return True

    def work(self, kind: Kind, name: str) -> Work | None:
        """What the job is at; None when it is not under way."""
        with self._changed:
            live = self._live.get((kind.name, name))
        return None if live is None else live.work

    def wait(self, kind: Kind, name: str, stop: threading.Event | None) -> None:
        """Block until the job is not under way any more, or `stop` is set."""
        with self._changed:
            while (kind.name, name) in self._live and not self._closing and not (stop and stop.is_set()):
                self._changed.wait(_ENDED_WAIT_SECONDS if stop is None else 0.1)

    def recover(self, kind: Kind) -> None:
        """Fail what was under way when the server died, and clean up after it."""
        with self._changed:
            for _, document in self._plane.store.all(kind.name):
                record = Record.read(document)
                if not record.job.over and (kind.name, record.name) not in self._live:
                    self._fail_lost(kind, record)
            directory = self._plane.place.root / "jobs" / kind.name
            for left in directory.iterdir() if directory.exists() else ():
                if (kind.name, left.name) not in self._live:
                    shutil.rmtree(left, ignore_errors=True)

    def _fail_lost(self, kind: Kind, record: Record) -> None:
        job = lifecycle.failed_by_restart(record.job, self._plane.clock.now())
        failed = dataclasses.replace(record, job=job)
        self._plane.store.put(kind.name, record.name, failed.document())
        self._tell(kind, failed)

    def close(self) -> None:
        """Let nothing change any more: what is under way counts as interrupted when we start again."""
        with self._changed:
            self._closing = True
            for live in self._live.values():
                if live.timer is not None:
                    live.timer.cancel()

    def join(self) -> None:
        """After `close`, once no process runs: wait until no thread of a job does anything any more."""
        for thread in self._threads:
            thread.join(_THREAD_SECONDS)

    def post(self, live: Live, event: Event) -> None:
        """Tell the lifecycle of a job what happened; store, announce and carry out what follows."""
        with self._changed:
            if self._closing:
                return
            job, instructions = lifecycle.handle(live.record.job, event)
            before, live.record = live.record, dataclasses.replace(live.record, job=job)
            if job != before.job:
                if job.over:
                    live.record = dataclasses.replace(live.record, extras=live.work.extras())
                self._plane.store.put(*live.key, live.record.document())
                self._announce(live, before)
            for instruction in instructions:
                self._carry_out(live, instruction)
            if Instruction.PREPARE in instructions:
                name = f"job-{live.record.name}"
                thread = threading.Thread(target=self._work, args=(live,), name=name, daemon=True)
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
                thread.start()

    def _carry_out(self, live: Live, instruction: Instruction) -> None:
        if instruction is Instruction.TERMINATE:
            live.terminated = True
            if live.running is not None:
                live.running.terminate(lifecycle.STOP_GRACE_SECONDS)
        elif instruction is Instruction.FINISH and live in self._waiting:
            self._waiting.remove(live)
            self._forget(live)
        else:
            live.todo.put(instruction)

    def _admit(self) -> None:
        while self._waiting and self._taken < self._places and not self._closing:
            live = self._waiting.popleft()
            self._taken += 1
            self.post(live, lifecycle.Admitted(self._plane.clock.now()))

    def _work(self, live: Live) -> None:
        """A job's own thread: does what the lifecycle says until there is nothing more to do."""
        steps = {
            Instruction.PREPARE: self._prepare,
            Instruction.RUN: self._run,
            Instruction.UPLOAD: self._upload,
        }
        while not self._closing:
            instruction = live.todo.get()
            if instruction is Instruction.FINISH:
                self._finish(live)
                return
            self.post(live, self._attempt(live, steps[instruction]))

    def _attempt(self, live: Live, step: Any) -> Event:
        try:
            event: Event = step(live)
            return event
        except JobFault as fault:
            return lifecycle.Broken(self._plane.clock.now(), str(fault))
        except Exception:
            log.exception("job %s failed for a reason of ours", live.record.name)
            return lifecycle.Broken(self._plane.clock.now(), lifecycle.INTERNAL_ERROR)

    def _prepare(self, live: Live) -> Event:
        shutil.rmtree(live.directory, ignore_errors=True)
        live.work.prepare()
        return lifecycle.Prepared(self._plane.clock.now())

    def _run(self, live: Live) -> Event:
        running = live.work.start(max(1, (os.cpu_count() or 1) // max(1, self._taken)))
        with self._changed:
            live.running = running
            if live.terminated:
                running.terminate(lifecycle.STOP_GRACE_SECONDS)
            live.timer = threading.Timer(live.kind.max_runtime(live.record.request), self._time_over, [live])
            live.timer.daemon = True
            live.timer.start()
        failure = running.wait()
        live.timer.cancel()
        return lifecycle.Ended(self._plane.clock.now(), failure)

    def _time_over(self, live: Live) -> None:
        self.post(live, lifecycle.TimeOver(self._plane.clock.now()))

    def _upload(self, live: Live) -> Event:
        live.work.upload(failed=live.record.job.failure is not None)
        return lifecycle.Uploaded(self._plane.clock.now())

    def _finish(self, live: Live) -> None:
        shutil.rmtree(live.directory, ignore_errors=True)
        with self._changed:
            self._taken -= 1
            self._forget(live)
            self._admit()

    def _forget(self, live: Live) -> None:
        self._live.pop(live.key, None)
        self._changed.notify_all()

    def _announce(self, live: Live, before: Record) -> None:
        after = live.record
        if before is after or before.job.transitions[-1].status != after.job.transitions[-1].status:
            self._tell(live.kind, after)

    def _tell(self, kind: Kind, record: Record) -> None:
        self._plane.events.put(kind.event, kind.describe(record), [record.arn])
