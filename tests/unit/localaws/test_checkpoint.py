"""What a checkpoint writes and when: a small state at once, a large one with pauses, and none is forgotten."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.localaws.checkpoint import Checkpoint, rest_after

PATIENCE = 20


class Service:
    """A state that takes as long to save as the test likes, and counts how often it is asked for."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.content = b"first"
        self.saved: list[bytes] = []
        self.seconds = seconds
        self.changed = threading.Condition()

    def take(self, name: str, get_state: Any, module: ModuleType) -> bytes:
        threading.Event().wait(self.seconds)  # what it costs to write it
        with self.changed:
            self.saved.append(self.content)
            self.changed.notify_all()
            return self.content

    def until(self, content: bytes) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: content in self.saved, PATIENCE)


def checkpoint(folder: Path, service: Service) -> Checkpoint:
    def state() -> None:
        """Stands for MiniStack's."""

    return Checkpoint(folder, lambda: {"lake": state}, service.take)


def test_a_small_state_is_written_each_time_it_changed(tmp_path: Path) -> None:
    service = Service()
    watching = checkpoint(tmp_path, service)
    assert watching.save() == ["lake"]
    service.content = b"second"
    watching.touch("lake")
    assert watching.save() == ["lake"]
    assert (tmp_path / "lake.json").read_bytes() == b"second"


def test_a_large_state_is_not_written_again_at_once(tmp_path: Path) -> None:
    service = Service(seconds=0.5)
    watching = checkpoint(tmp_path, service)
    watching.save()
    service.content = b"second"
    watching.touch("lake")
    assert watching.save() == []
    assert service.saved == [b"first"]


def test_a_state_nobody_touched_is_not_looked_at_in_every_round(tmp_path: Path) -> None:
    service = Service(seconds=0.01)
    watching = checkpoint(tmp_path, service)
    watching.save()
    service.content = b"second"
    assert watching.save() == []
    watching.touch("lake")
    assert watching.save() == ["lake"]
    assert len(service.saved) == 2


def test_a_busy_server_spends_a_tenth_of_its_time_on_it_at_most() -> None:
    assert rest_after(0.01) == 0.5
    assert rest_after(1.0) == 9.0
    assert rest_after(60.0) == 30.0


def test_a_large_state_that_was_too_early_to_write_is_written_later_unasked(tmp_path: Path) -> None:
    service = Service(seconds=0.1)
    watching = checkpoint(tmp_path, service)
    watching.start()
    watching.touch("lake")
    assert service.until(b"first")
    service.content = b"second"
    watching.touch("lake")  # the last request: nobody touches it again
    assert service.until(b"second")
    watching.stop()
    assert (tmp_path / "lake.json").read_bytes() == b"second"
