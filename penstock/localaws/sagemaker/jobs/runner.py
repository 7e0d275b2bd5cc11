"""Runs jobs: carries out the lifecycle's instructions, one thread a job, as many jobs at once as there are cores.

Everything a job becomes is written to the store before anybody is told; `post` is the only way a running job changes.
A job is one place, however many instances it has: they wait for each other more than they work. Who has no place waits
in line, first in first out, and so does everybody while the machine is short of memory or disk.
"""

import dataclasses
import logging
import os
import shutil
import threading
from collections.abc import Callable

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.capacity import Machine
from penstock.localaws.sagemaker.jobs.lifecycle import Event, Instruction, Job
from penstock.localaws.sagemaker.jobs.live import Live
from penstock.localaws.sagemaker.jobs.waiting import Key, Line, Waiting
from penstock.localaws.sagemaker.jobs.work import Kind, Record, Work
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")
_ENDED_WAIT_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 1.0  # while the machine is short of something
_LONGEST_REST = 3600.0
_THREAD_SECONDS = 10.0  # a download under way when everything is reset


class Runner:
    """All jobs of a plane that are under way."""

    def __init__(self, plane: Plane, machine: Machine | None = None) -> None:
        self._plane = plane
        self.machine = machine or Machine(plane.place.root)
        self._changed = threading.Condition(threading.RLock())
        self._live: dict[Key, Live] = {}
        self._line = Line()
        self._keeper: threading.Thread | None = None
        self._news = False  # the keeper has something to look at
        self._places = max(1, os.cpu_count() or 1)
        self._taken = 0
        self._closing = False
        self._threads: list[threading.Thread] = []

    def submit(self, kind: Kind, record: Record) -> None:
        """Run a job whose record has just been stored, now or when there is a place."""
        with self._changed:
            self._tell(kind, record)
            self._line_up(kind, record)

    def stop(self, kind: Kind, name: str) -> bool:
        """Ask a job to end; False when it is not under way."""
        with self._changed:
            asked = lifecycle.StopRequested(self._plane.clock.now())
            if (kind.name, name) in self._line:
                self._settle(kind, name, asked)
                return True
            live = self._live.get((kind.name, name))
            if live is None or live.record.job.over:
                return False
            self.post(live, asked)
            return True

    def work(self, kind: Kind, name: str) -> Work | None:
        """What the job is at; None when it is not running."""
        with self._changed:
            live = self._live.get((kind.name, name))
        return None if live is None else live.work

    def amend(self, kind: Kind, name: str, change: Callable[[Record], Record]) -> Record | None:
        """Store `change(record)` in place of a job's record, under way or not; None when there is none."""
        with self._changed:
            live = self._live.get((kind.name, name))
            document = self._plane.store.get(kind.name, name)
            if document is None:
                return None
            record = change(live.record if live else Record.read(document))
            self._plane.store.put(kind.name, name, record.document())
            if live is not None:
                live.record = record
            return record

    def wait(self, kind: Kind, name: str, stop: threading.Event | None) -> None:
        """Block until the job is not under way any more, or `stop` is set."""
        key = kind.name, name
        with self._changed:
            while (key in self._live or key in self._line) and not self._closing:
                if stop and stop.is_set():
                    return
                self._changed.wait(_ENDED_WAIT_SECONDS if stop is None else 0.1)

    def recover(self, kind: Kind) -> None:
        """After a crash: clean up, let those wait again who waited, fail or restart what was under way."""
        directory = self._plane.place.root / "jobs" / kind.name
        with self._changed:
            for left in directory.iterdir() if directory.exists() else ():
                if (kind.name, left.name) not in self._live:
                    shutil.rmtree(left, ignore_errors=True)
            found = [Record.read(document) for _, document in self._plane.store.all(kind.name)]
            for record in sorted(found, key=lambda one: one.job.created):
                key = kind.name, record.name
                if not record.job.over and key not in self._live and key not in self._line:
                    self._take_up(kind, record)

    def _take_up(self, kind: Kind, record: Record) -> None:
        if record.job.secondary in (lifecycle.Secondary.UPLOADING, lifecycle.Secondary.STOPPING):
            self._discard(kind, record)
        job = record.job
        if not job.waiting:
            again = job.attempts < kind.retries(record.request)
            job = lifecycle.failed_by_restart(job, self._plane.clock.now(), again)
        found = self._become(kind, record, job)
        if not job.over:
            self._line_up(kind, found)

    def _discard(self, kind: Kind, record: Record) -> None:
        try:
            kind.discard(self._plane, record)
        except Exception:
            log.exception("what job %s left in S3 could not be removed", record.name)

    def close(self) -> None:
        """Let nothing change any more: what is under way counts as interrupted when we start again."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._plane.clock.wake()

    def join(self) -> None:
        """After `close`, once no process runs: wait until no thread of a job does anything any more."""
        for thread in self._threads:
            thread.join(_THREAD_SECONDS)

    # --- waiting ---

    def _line_up(self, kind: Kind, record: Record) -> None:
        patience = kind.patience(record.request)
        one = Waiting(kind, record.name)
        if patience is not None:
            deadline = record.job.created + patience.seconds
            one = Waiting(kind, record.name, deadline, patience.ending)
        self._line.join(one)
        self._admit()
        if (kind.name, record.name) in self._line:
            self._settle(kind, record.name, lifecycle.Queued(self._plane.clock.now()))
            self._wake_keeper()

    def _settle(self, kind: Kind, name: str, event: Event) -> None:
        """What an event does to a job in line."""
        document = self._plane.store.get(kind.name, name)
        if document is None:
            self._line.leave((kind.name, name))
            return
        record = Record.read(document)
        job, instructions = lifecycle.handle(record.job, event)
        if job != record.job:
            self._become(kind, record, job)
        if Instruction.FINISH in instructions:
            self._line.leave((kind.name, name))
            self._changed.notify_all()

    def _admit(self) -> None:
        """Give free places to those in front, while the machine bears it."""
        while self._taken < self._places and not self._closing and (first := self._line.first()) is not None:
            shortage = self.machine.shortage()
            if shortage is not None:
                self._settle(first.kind, first.name, lifecycle.Queued(self._plane.clock.now(), shortage))
                self._wake_keeper()
                return
            self._line.leave((first.kind.name, first.name))
            document = self._plane.store.get(first.kind.name, first.name)
            if document is not None:
                self._begin(first.kind, Record.read(document))

    def _begin(self, kind: Kind, record: Record) -> None:
        directory = self._plane.place.root / "jobs" / kind.name / record.name
        live = Live(kind, record, kind.begin(self._plane, record, directory), directory)
        self._live[live.key] = live
        self._taken += 1
        self.post(live, lifecycle.Admitted(self._plane.clock.now()))
        thread = threading.Thread(target=self._work, args=(live,), name=f"job-{record.name}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()

    def _wake_keeper(self) -> None:
        self._news = True
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, name="job-queue", daemon=True)
            self._keeper.start()
        self._plane.clock.wake()

    def _keep(self) -> None:
        """Ends who has waited too long, and looks again whether the machine has room; while anybody waits."""
        while True:
            with self._changed:
                self._news = False
                now = self._plane.clock.now()
                for one in self._line.impatient(now):
                    self._settle(one.kind, one.name, lifecycle.WaitOver(now, one.ending))
                self._admit()
                if self._closing or not self._line:
                    self._keeper = None
                    return
                self._news = False
                due = min(
                    self._line.next_deadline() or now + _LONGEST_REST,
                    now + (_LOOK_AGAIN_SECONDS if self._taken < self._places else _LONGEST_REST),
                )
            self._rest_until(due)

    def _rest_until(self, due: float) -> None:
        """Until the clock says `due` (it may have moved since that was worked out), or there is news."""
        clock = self._plane.clock
        rest = max(0.0, due - clock.now())
        clock.wait(rest, until=lambda: self._news or self._closing or clock.now() >= due)

    # --- running ---

    def post(self, live: Live, event: Event) -> None:
        """Tell the lifecycle of a job what happened; store, announce and carry out what follows."""
        with self._changed:
            if self._closing:
                return
            job, instructions = lifecycle.handle(live.record.job, event)
            before = live.record
            if job != before.job:
                extras = live.work.extras() if job.over else before.extras
                live.record = dataclasses.replace(before, extras=extras)
                live.record = self._become(live.kind, live.record, job)
            for instruction in instructions:
                self._carry_out(live, instruction)

    def _carry_out(self, live: Live, instruction: Instruction) -> None:
        if instruction is not Instruction.TERMINATE:
            live.todo.put(instruction)
            return
        live.terminated = True
        if live.running is not None:
            live.running.terminate(lifecycle.STOP_GRACE_SECONDS)

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

    def _attempt(self, live: Live, step: Callable[[Live], Event]) -> Event:
        try:
            return step(live)
        except JobFault as fault:
            return lifecycle.Broken(self._plane.clock.now(), str(fault))
        except Exception:
            log.exception("job %s failed for a reason of ours", live.record.name)
            again = live.record.job.attempts < live.kind.retries(live.record.request)
            return lifecycle.Broken(self._plane.clock.now(), lifecycle.INTERNAL_ERROR, again)

    def _prepare(self, live: Live) -> Event:
        shutil.rmtree(live.directory, ignore_errors=True)
        if live.record.job.attempts:
            live.work = live.kind.begin(self._plane, live.record, live.directory)
        live.work.prepare()
        return lifecycle.Prepared(self._plane.clock.now())

    def _run(self, live: Live) -> Event:
        began = self._plane.clock.now()
        running = live.work.start(max(1, (os.cpu_count() or 1) // max(1, self._taken)))
        live.ended.clear()
        with self._changed:
            live.running = running
            if live.terminated:
                running.terminate(lifecycle.STOP_GRACE_SECONDS)
        name = f"limit-{live.record.name}"
        threading.Thread(target=self._limit, args=(live, began), name=name, daemon=True).start()
        try:
            failure = running.wait()
        finally:
            live.ended.set()
            self._plane.clock.wake()
        return lifecycle.Ended(self._plane.clock.now(), failure)

    def _limit(self, live: Live, began: float) -> None:
        """Ends a job that runs too long or, with the time it waited, has taken too long."""
        clock = self._plane.clock
        seconds, waited = live.time_left(began)
        over = began + seconds
        clock.wait(seconds, until=lambda: live.ended.is_set() or self._closing or clock.now() >= over)
        if not live.ended.is_set() and not self._closing:
            self.post(live, lifecycle.TimeOver(clock.now(), waited))

    def _upload(self, live: Live) -> Event:
        live.work.upload(failed=live.record.job.failure is not None)
        return lifecycle.Uploaded(self._plane.clock.now())

    def _finish(self, live: Live) -> None:
        shutil.rmtree(live.directory, ignore_errors=True)
        with self._changed:
            self._taken -= 1
            self._live.pop(live.key, None)
            self._admit()
            self._changed.notify_all()

    def _become(self, kind: Kind, record: Record, job: Job) -> Record:
        """Store what a job has become, then tell of it if it shows."""
        after = dataclasses.replace(record, job=job)
        self._plane.store.put(kind.name, record.name, after.document())
        if job.transitions[-1].status != record.job.transitions[-1].status:
            self._tell(kind, after)
        return after

    def _tell(self, kind: Kind, record: Record) -> None:
        self._plane.events.put(kind.event, kind.describe(record), [record.arn])
