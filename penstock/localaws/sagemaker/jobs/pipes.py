"""Pipe mode: FIFOs `<channel>_<epoch>` that we write and a job reads, one epoch after another.

The next epoch's FIFO is there before the last one ends, so that a reader finds it. A reader that goes away in the
middle ends its epoch. `stop` ends it all, whether somebody reads or not.
"""

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from penstock.localaws.sagemaker.faults import JobFault

log = logging.getLogger("penstock.localaws.sagemaker")

Epochs = Callable[[int], Iterator[bytes]]


class Feed:
    """Feeds one channel of one host from a thread of its own.

    `epochs` gives the bytes of an epoch; `failed` is told why when they cannot be had.
    """

    def __init__(self, directory: Path, channel: str, epochs: Epochs) -> None:
        self._directory = directory
        self._channel = channel
        self._epochs = epochs
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._make(0)

    def start(self, failed: Callable[[str], None]) -> None:
        """Begin; the first FIFO is there already."""
        name = f"pipe-{self._channel}"
        self._thread = threading.Thread(target=self._run, args=(failed,), name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and return when nothing is written any more."""
        self._stopping.set()
        while self._thread is not None and self._thread.is_alive():
            for path in self._directory.glob(f"{self._channel}_*"):
                with contextlib.suppress(OSError):  # lets go who waits for a reader
                    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
            self._thread.join(timeout=0.05)

    def _path(self, epoch: int) -> Path:
        return self._directory / f"{self._channel}_{epoch}"

    def _make(self, epoch: int) -> None:
        os.mkfifo(self._path(epoch), 0o600)

    def _run(self, failed: Callable[[str], None]) -> None:
        epoch = 0
        try:
            while not self._stopping.is_set():
                self._feed(epoch)
                epoch += 1
        except JobFault as fault:
            failed(str(fault))
        except Exception as error:
            log.exception("channel %s cannot be fed", self._channel)
            failed(f"InternalServerError: {error}")

    def _feed(self, epoch: int) -> None:
        """One epoch: wait for a reader, give it everything."""
        descriptor = os.open(self._path(epoch), os.O_WRONLY)
        with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb", buffering=0) as pipe:
            self._make(epoch + 1)
            for chunk in self._epochs(epoch):
                if self._stopping.is_set():
                    return
                self._write(pipe.fileno(), chunk)
        self._path(epoch).unlink(missing_ok=True)

    def _write(self, descriptor: int, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest and not self._stopping.is_set():
            rest = rest[os.write(descriptor, rest) :]
