"""One supervised process tree: started behind the guard, its lines passed on, ended for sure."""

import codecs
import collections
import logging
import os
import selectors
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from penstock.localaws.execution.logs import Stream

log = logging.getLogger("penstock.localaws.execution")

GUARD = str(Path(__file__).with_name("guard.py"))
_CHUNK = 1 << 16
_LONGEST_LINE = 250_000  # a job that prints without ever ending its line does not fill our memory
_TAIL_LINES = 20
_AFTERLIFE_SECONDS = 2.0


@dataclass(frozen=True)
class ProcessSpec:
    """What to run: `argv` in `cwd` with exactly `env`.

    `optml` is the directory the process sees as /opt/ml (None: no /opt/ml of its own); `cwd` is a path as the process
    sees it. Its lines go to `log` (standard error to `error_log` if given) and to `on_line(source, line)`, source
    being `stdout` or `stderr`, called in the process's own thread. `escape_tabs` writes a tab as `#011`, as SageMaker's
    log pipeline does: metric regular expressions are made for that. `notice` is the log's first line, from us.

    Limits: `memory_limit` is what the whole tree may have resident, in bytes; `disk_limit` is a directory and the bytes
    that may be below it. Over either the tree is killed, and `Process.killed_for` says why; memory is watched on Linux
    only. Where the process has a mount namespace, it calls its machine `hostname`, sees `hosts_file` as /etc/hosts,
    cannot write below the paths `read_only` (as it sees them), and without `network` reaches nobody but itself.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    optml: Path | None = None
    log: tuple[str, str] | None = None
    error_log: tuple[str, str] | None = None
    on_line: Callable[[str, str], None] | None = None
    escape_tabs: bool = False
    notice: str = ""
    memory_limit: int | None = None
    disk_limit: tuple[Path, int] | None = None
    hostname: str = ""
    hosts_file: Path | None = None
    read_only: tuple[str, ...] = ()
    network: bool = True

    @property
    def setup(self) -> str:
        """What the guard is to arrange, as it reads it."""
        wishes = [("hostname", self.hostname), ("hosts", str(self.hosts_file or ""))]
        wishes += [("read", path) for path in self.read_only]
        wishes += [] if self.network else [("network", "none")]
        return "\n".join(f"{name}={value}" for name, value in wishes if value)


class Patience(Protocol):
    """Waits that somebody may shorten: see `sagemaker.clock.Clock`."""

    def now(self) -> float:
        """Seconds since whenever."""
        ...

    def wait(self, seconds: float, until: Callable[[], bool]) -> bool:
        """Block until `until()` is true (True) or the seconds have passed (False)."""
        ...

    def wake(self) -> None:
        """Let those who wait look at their `until` again."""
        ...


@dataclass
class _Output:
    """Bytes of one pipe on their way to lines."""

    source: str
    stream: Stream | None
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")("replace")
    )
    rest: str = ""

    def lines(self, chunk: bytes) -> list[str]:
        """The lines `chunk` completes; at the end (b"") what is left."""
        *whole, self.rest = (self.rest + self.decoder.decode(chunk, final=not chunk)).split("\n")
        if len(self.rest) > _LONGEST_LINE or (not chunk and self.rest):
            whole.append(self.rest)
            self.rest = ""
        return [line.rstrip("\r") for line in whole]


class Process:
    """A running (or ended) process tree."""

    def __init__(
        self,
        spec: ProcessSpec,
        mode: str,
        python: str,
        open_log: Callable[[str, str], Stream],
        clock: Patience | None = None,
    ) -> None:
        self.spec = spec
        self.mode = mode
        self.exit_code: int | None = None
        self.killed_for: str | None = None
        self._clock = clock
        self._ended = threading.Event()
        self._order_lock = threading.Lock()
        self._callbacks: list[Callable[[Process], None]] = []
        self._errors: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        out = open_log(*spec.log) if spec.log else None
        err = open_log(*spec.error_log) if spec.error_log else out
        if out is not None and spec.notice:
            out.write(spec.notice)
        self._popen = subprocess.Popen(
            [python, "-I", "-S", GUARD, mode, str(spec.optml or ""), spec.setup, spec.cwd, *spec.argv],
            env=dict(spec.env),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._popen.pid
        outputs = (_Output("stdout", out), _Output("stderr", err))
        self._thread = threading.Thread(
            target=self._run, args=(outputs,), name=f"process-{self.pid}", daemon=True
        )
        self._thread.start()

    def wait(self, timeout: float | None = None) -> int | None:
        """Block until the tree is gone and its lines are stored; the exit code, or None after `timeout` seconds."""
        self._ended.wait(timeout)
        return self.exit_code if self._ended.is_set() else None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return not self._ended.is_set()

    @property
    def last_errors(self) -> list[str]:
        """The last lines of standard error that are not blank."""
        return list(self._errors)

    def when_ended(self, callback: Callable[["Process"], None]) -> None:
        """Call `callback(self)` once it has ended, in its own thread; at once when it has already."""
        with self._order_lock:
            if self.alive:
                self._callbacks.append(callback)
                return
        callback(self)

    def terminate(self, grace: float) -> None:
        """Ask it to end (SIGTERM); kill it after `grace` seconds. Returns at once; wait with `wait`."""
        self._order(b"T")
        if self.alive:
            name, until = f"grace-{self.pid}", (self._clock.now() if self._clock else 0.0) + grace
            threading.Thread(target=self._kill_after, args=(grace, until), name=name, daemon=True).start()

    def _kill_after(self, grace: float, until: float) -> None:
        """Kill after `grace` seconds, but not after the clock says `until`: it may have moved since we were told."""
        clock = self._clock
        if clock is None:
            self._ended.wait(grace)
        else:
            clock.wait(grace, lambda: self._ended.is_set() or clock.now() >= until)
        self.kill()

    def kill(self, reason: str | None = None) -> None:
        """Kill every process of it now; `reason` is what `killed_for` says from then on."""
        if self.alive and reason is not None:
            self.killed_for = reason
        self._order(b"K")

    def _order(self, letter: bytes) -> None:
        pipe = self._popen.stdin
        with self._order_lock:
            if self.alive and pipe is not None and not pipe.closed:
                try:
                    pipe.write(letter)
                except (BrokenPipeError, OSError):
                    return

    def _run(self, outputs: tuple[_Output, ...]) -> None:
        try:
            self._pump(outputs)
            self.exit_code = self._reaped()
        except Exception:
            log.exception("process %d was lost sight of", self.pid)
            self._popen.kill()
            self.exit_code = self._reaped()
        finally:
            self._close(outputs)
            with self._order_lock:
                self._ended.set()
                callbacks, self._callbacks = self._callbacks, []
            if self._clock is not None:
                self._clock.wake()
            for callback in callbacks:
                callback(self)

    def _reaped(self) -> int:
        """The guard's exit code; 128 + N when the guard itself was ended by signal N, as it says it of the job."""
        code = self._popen.wait()
        return code if code >= 0 else 128 - code

    def _close(self, outputs: tuple[_Output, ...]) -> None:
        with self._order_lock:
            for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
                if pipe is not None:
                    pipe.close()
        for stream in {id(output.stream): output.stream for output in outputs}.values():
            if stream is not None:
                stream.close()

    def _pump(self, outputs: tuple[_Output, ...]) -> None:
        """Pass lines on until both pipes end; a stray that holds them open does not hold us for ever."""
        assert self._popen.stdout is not None  # noqa: S101  for the type checker
        assert self._popen.stderr is not None  # noqa: S101
        with selectors.DefaultSelector() as selector:
            for pipe, output in zip((self._popen.stdout, self._popen.stderr), outputs, strict=True):
                selector.register(pipe.fileno(), selectors.EVENT_READ, output)
            while selector.get_map():
                ready = selector.select(_AFTERLIFE_SECONDS)
                if not ready and self._popen.poll() is not None:
                    break
                for key, _ in ready:
                    chunk = os.read(key.fd, _CHUNK)
                    self._pass_on(key.data, key.data.lines(chunk))
                    if not chunk:
                        selector.unregister(key.fd)

    def _pass_on(self, output: _Output, lines: list[str]) -> None:
        for printed in lines:
            line = printed.replace("\t", "#011") if self.spec.escape_tabs else printed
            if output.source == "stderr" and line.strip():
                self._errors.append(line)
            if output.stream is not None:
                output.stream.write(line)
            if self.spec.on_line is not None:
                self.spec.on_line(output.source, line)
