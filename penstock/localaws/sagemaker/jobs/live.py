"""A job that has a place: what the runner keeps of it while it is under way."""

import queue
import threading
from pathlib import Path

from penstock.localaws.sagemaker.jobs.lifecycle import Instruction
from penstock.localaws.sagemaker.jobs.waiting import Key
from penstock.localaws.sagemaker.jobs.work import Kind, Record, Running, Work


class Live:
    """A job with a place: its record, its thread's instructions and, while it runs, what runs."""

    def __init__(self, kind: Kind, record: Record, work: Work, directory: Path) -> None:
        self.kind = kind
        self.record = record
        self.work = work
        self.directory = directory
        self.todo: queue.SimpleQueue[Instruction] = queue.SimpleQueue()
        self.running: Running | None = None
        self.terminated = False
        self.ended = threading.Event()

    @property
    def key(self) -> Key:
        """Kind and name."""
        return self.record.kind, self.record.name

    def time_left(self, now: float) -> tuple[float, bool]:
        """How long it may run from `now` on, in seconds; and whether the time it waited is what ends it then."""
        request = self.record.request
        seconds, patience = self.kind.max_runtime(request), self.kind.patience(request)
        if patience is None or not patience.whole:
            return seconds, False
        left = self.record.job.created + patience.seconds - now
        return min(seconds, left), left < seconds
