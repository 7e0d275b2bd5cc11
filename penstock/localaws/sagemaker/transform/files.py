"""One input object to one output object: downloaded, split, asked in order, assembled on disk, stored when whole."""

import contextlib
import gzip
import logging
import tempfile
import threading
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import transfers
from penstock.localaws.sagemaker.transform import records
from penstock.localaws.sagemaker.transform.association import Association
from penstock.localaws.sagemaker.transform.client import Client
from penstock.localaws.sagemaker.transform.faults import CLIENT, INTERNAL, BadFile, Stopped, client_fault
from penstock.localaws.sagemaker.transform.inputs import Input
from penstock.localaws.sagemaker.transform.parameters import Parameters

log = logging.getLogger("penstock.localaws.sagemaker")
T = TypeVar("T")
R = TypeVar("R")
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Plan:
    """How every file of a job is treated: SplitType, Gzip, AssembleWith Line, DataProcessing (None: there is none)."""

    split: str
    gzipped: bool
    lines: bool
    association: Association | None


class Window:
    """Asks several things at once and gives the answers in order; of all files together, `places` are held at once."""

    def __init__(self, threads: ThreadPoolExecutor, places: int) -> None:
        self._threads = threads
        self._places = threading.Semaphore(places)

    def each(self, things: Iterable[T], ask: Callable[[T], R]) -> Generator[tuple[T, R], None, None]:
        """Every thing with `ask(thing)`, in order; close the iterator when you do not read it to its end."""
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            for thing in things:
                # Who waits for a place holds none itself: so somebody always comes to give one back.
                while not self._places.acquire(blocking=not waiting):
                    yield self._first(waiting)
                waiting.append((thing, self._threads.submit(ask, thing)))
                while waiting and waiting[0][1].done():
                    yield self._first(waiting)
            while waiting:
                yield self._first(waiting)
        finally:
            for _, future in waiting:
                future.cancel()
                future.add_done_callback(lambda _: self._places.release())

    def _first(self, waiting: deque[tuple[T, Future[R]]]) -> tuple[T, R]:
        thing, future = waiting[0]
        answer = future.result()
        waiting.popleft()
        self._places.release()
        return thing, answer


class Transformer:
    """Transforms files with one model server; what it needs on disk meanwhile is below `scratch`."""

    def __init__(
        self, s3: Any, plan: Plan, parameters: Parameters, client: Client, window: Window, scratch: Path
    ) -> None:
        self._s3 = s3
        self._plan = plan
        self._parameters = parameters
        self._client = client
        self._window = window
        self._scratch = scratch

    def run(self, source: Input) -> None:
        """Transform one object; raises BadFile or Stopped, and leaves no output then."""
        try:
            with tempfile.TemporaryDirectory(dir=self._scratch) as place:
                self._transform(source, Path(place, "in"), Path(place, "out"))
        except (BadFile, Stopped):
            raise
        except JobFault as fault:
            raise BadFile(CLIENT, str(fault)) from fault
        except Exception as error:
            log.exception("%s cannot be transformed", source.label)
            raise BadFile(INTERNAL, f"{type(error).__name__}: {error}") from error

    def _transform(self, source: Input, given: Path, made: Path) -> None:
        transfers.download_object(self._s3, source.uri, given)
        with made.open("wb") as out, contextlib.closing(self._answers(given)) as answers:
            for answer in answers:
                out.write(answer)
                if self._plan.lines and not answer.endswith(b"\n"):
                    out.write(b"\n")
        given.unlink()
        transfers.upload_file(self._s3, made, source.output)

    def _answers(self, given: Path) -> Generator[bytes, None, None]:
        """What is to be stored, in the file's order."""
        association = self._plan.association
        if self._whole:
            if given.stat().st_size:
                yield self._client.invoke(lambda: _chunks(given, self._plan.gzipped))
            return
        with _opened(given, self._plan.gzipped) as file:
            found = _unpacked(records.read(file, self._plan.split, self._parameters.most))
            sent = None if association is None else association.sent
            batches = records.batches(found, self._single, self._parameters.most, sent)
            with contextlib.closing(self._window.each(batches, self._ask)) as answered:
                for batch, answer in answered:
                    stored = association is not None and association.parses_output
                    yield association.stored(batch.records, answer) if association and stored else answer

    @property
    def _single(self) -> bool:
        return self._parameters.single and self._plan.split != "None"

    @property
    def _whole(self) -> bool:
        """Whether a file is one request of any size, sent in chunks as it is read."""
        return self._parameters.most is None and not self._single and self._plan.association is None

    def _ask(self, batch: records.Batch) -> bytes:
        if self._parameters.most is not None:
            return self._client.invoke(batch.payload)
        payload = batch.payload
        return self._client.invoke(
            lambda: (payload[start : start + _CHUNK] for start in range(0, len(payload), _CHUNK))
        )


def _opened(path: Path, gzipped: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if gzipped else path.open("rb")


def _unpacked(found: Iterable[T]) -> Iterator[T]:
    """The same; what is no gzip file becomes BadFile."""
    try:
        yield from found
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise client_fault(f"Failed to decompress input as Gzip: {error}") from error


def _chunks(path: Path, gzipped: bool) -> Iterator[bytes]:
    with _opened(path, gzipped) as file:
        yield from _unpacked(iter(lambda: file.read(_CHUNK), b""))
