"""Runs one job and takes everything of it along when it ends: `python -I -S guard.py MODE BASE SETUP CWD COMMAND...`.

Started by `process.Process`, with the job's environment. Imports the standard library's lightest parts only: it is
between the request and the job's first line. It reads orders from standard input: `T` asks the job to end (SIGTERM),
`K` kills it; when the input ends, whoever started us is gone, kill -9 or not, and so is the job. Exits with the job's
code, 128 + N for signal N, 127 when the command cannot be started, 126 when the jail cannot be built.

MODE `pid`: user, mount and process namespaces: the job sees BASE (unless empty) as /opt/ml, and the kernel kills every
process of it when its first one ends. `mount`: user and mount namespaces only. `plain`: none. In the last two, orphans
of the job become our children (Linux) and are killed one by one; its process group is killed in any case.

SETUP is for the first two modes, one `name=value` a line: `hostname` is what the job calls its machine, `hosts` a file
it sees as /etc/hosts, every `read` a directory it can only read, `network=none` leaves it its own loopback device only.
What the kernel does not allow of it is left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn  # its import would cost the job 10 ms

NEWNS, NEWUTS, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x10000000, 0x20000000, 0x40000000
AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8914, 1
READ_ONLY, REMOUNT, BIND, REC, PRIVATE = 1, 32, 4096, 16384, 1 << 18
# What a mount already has must be said again when it is changed: (flag of statvfs, flag of mount).
KEPT = ((2, 2), (4, 4), (8, 8), (1024, 1024), (2048, 2048), (4096, 1 << 21))
NOSUID_NODEV_NOEXEC = 2 | 4 | 8
PDEATHSIG, CHILD_SUBREAPER = 1, 36
LINUX = sys.platform == "linux"
CANNOT_JAIL, CANNOT_START = 126, 127

libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def system(name: str, *arguments: object) -> None:
    """One system call by its C name; raises OSError."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments!r}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None = None, flags: int = 0) -> None:
    """mount(2)."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    system("mount", *encoded, ctypes.c_ulong(flags), None)


def enter_namespaces(flags: int) -> None:
    """Become root of a user namespace of our own, with the other namespaces of `flags`."""
    user, group = os.getuid(), os.getgid()
    system("unshare", NEWUSER | flags)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def leave_network() -> None:
    """Have a network of our own with nothing but a loopback device, which is up."""
    system("unshare", NEWNET)
    device = b"lo".ljust(16, b"\0") + IFF_UP.to_bytes(2, sys.byteorder) + bytes(22)
    control = libc.socket(AF_INET, SOCK_DGRAM, 0)  # type: ignore[union-attr]
    system("ioctl", control, ctypes.c_ulong(SIOCSIFFLAGS), device)
    os.close(control)


def show_opt_ml(base: str) -> None:
    """Make `base` appear as /opt/ml, with the rest of /opt as it was."""
    inside = os.open(base, os.O_PATH)
    if not os.path.isdir("/opt/ml"):
        old = os.open("/opt", os.O_PATH)
        mount("tmpfs", "/opt", "tmpfs")
        for name in os.listdir(f"/proc/self/fd/{old}"):
            show_again(f"/proc/self/fd/{old}/{name}", f"/opt/{name}")
        os.mkdir("/opt/ml")
        os.close(old)
    mount(f"/proc/self/fd/{inside}", "/opt/ml", None, BIND | REC)
    os.close(inside)


def show_again(source: str, target: str) -> None:
    """Bind one entry of the covered /opt to its old name."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    mount(source, target, None, BIND | REC)


def set_up(wishes: list[tuple[str, str]]) -> None:
    """Fulfil SETUP as far as the kernel allows."""
    for name, value in wishes:
        with contextlib.suppress(OSError):
            if name == "hosts":
                mount(value, "/etc/hosts", None, BIND)
            elif name == "hostname":
                encoded = os.fsencode(value)
                system("sethostname", encoded, len(encoded))
            elif name == "read":
                make_read_only(value)


def make_read_only(directory: str) -> None:
    """Let nobody write below `directory` any more."""
    mount(directory, directory, None, BIND | REC)
    kept = sum(flag for had, flag in KEPT if os.statvfs(directory).f_flag & had)
    mount(directory, directory, None, BIND | REMOUNT | READ_ONLY | kept)


def start(cwd: str, command: tuple[str, ...]) -> NoReturn:
    """Become the job."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        os.chdir(cwd)
        os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        fail(f"cannot start {command[0]!r} in {cwd}: {error.strerror}", CANNOT_START)


def fail(text: str, code: int) -> NoReturn:
    """Say why there is no job, and end."""
    os.write(2, f"{text}\n".encode())
    os._exit(code)


def exit_code(status: int) -> int:
    """A wait status as Docker reports it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def first_process(
    mode: str, base: str, wishes: list[tuple[str, str]], cwd: str, command: tuple[str, ...]
) -> NoReturn:
    """Our child: builds the jail and becomes the job or, in a process namespace, the job's init."""
    try:
        if LINUX:
            system("prctl", PDEATHSIG, signal.SIGKILL)
        if mode != "plain":
            mount("none", "/", None, REC | PRIVATE)
            set_up([wish for wish in wishes if wish[0] != "read"])
            if base:
                show_opt_ml(base)
            set_up([wish for wish in wishes if wish[0] == "read"])
        if mode == "pid":
            mount("proc", "/proc", "proc", NOSUID_NODEV_NOEXEC)
    except OSError as error:
        fail(f"cannot give the job its own /opt/ml: {error}", CANNOT_JAIL)
    if mode == "pid":
        be_init(cwd, command)
    start(cwd, command)


def be_init(cwd: str, command: tuple[str, ...]) -> NoReturn:
    """Start the job, pass SIGTERM on, reap orphans, end with the job: then the kernel kills the rest."""
    job = os.fork()
    if job == 0:
        os.setsid()
        start(cwd, command)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(job, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while True:
        pid, status = os.wait()
        if pid == job:
            os._exit(exit_code(status))


def orphans() -> list[int]:
    """Processes of the job that outlived it and became our children."""
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]
    return []


def kill_everything(job: int) -> None:
    """Kill the job's process group and whatever it left behind, until nothing is left."""
    with contextlib.suppress(OSError):
        os.killpg(job, signal.SIGKILL)
    while True:
        left = orphans()
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0 if left else os.WNOHANG)
        except ChildProcessError:
            return
        if not left:
            return


def watch(job: int, wake: int) -> int:
    """Follow orders until the job has ended; returns its wait status."""
    sources = [0, wake]
    while True:
        ready = select.select(sources, [], [])[0]
        if wake in ready:
            os.read(wake, 512)
            pid, status = reap(job)
            if pid:
                return status
        if 0 in ready:
            order = os.read(0, 1)
            if not order:
                sources.remove(0)
            with contextlib.suppress(OSError):
                os.kill(job, signal.SIGTERM if order == b"T" else signal.SIGKILL)


def reap(job: int) -> tuple[int, int]:
    """Collect ended children; (job, status) once the job is among them, (0, 0) otherwise."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in (0, job):
            return pid, status


def main(mode: str, base: str, setup: str, cwd: str, *command: str) -> NoReturn:
    """Run the job to its end."""
    wishes = [(name, value) for name, _, value in (line.partition("=") for line in setup.splitlines())]
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    if LINUX:
        with contextlib.suppress(OSError):
            system("prctl", CHILD_SUBREAPER, 1)
    if mode != "plain":
        try:
            named = any(name == "hostname" for name, _ in wishes)
            enter_namespaces(NEWNS | (NEWPID if mode == "pid" else 0) | (NEWUTS if named else 0))
            if ("network", "none") in wishes:
                with contextlib.suppress(OSError):
                    leave_network()
        except OSError as error:
            fail(f"cannot give the job its own /opt/ml: {error}", CANNOT_JAIL)
    # The first process of a namespace ignores signals it has no handler for: until it has one, SIGTERM waits.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    job = os.fork()
    if job == 0:
        if mode != "pid":
            os.setsid()
        first_process(mode, base, wishes, cwd, command)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    status = watch(job, wake)
    kill_everything(job)
    os._exit(exit_code(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
