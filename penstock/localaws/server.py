"""The server process: MiniStack's application with our extension, on a socket that `control.up` opened.

Run as `python -m penstock.localaws.server ROOT PORT SOCKET READY`, with the environment of `settings.environment`;
SOCKET and READY are inherited file descriptors: a listening socket, and a pipe that gets `ready` once requests are
answered. It leaves its starter at once, so nobody has to wait for it.
"""

import asyncio
import logging
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.localaws.control import write_record
from penstock.localaws.settings import layout, testing

if TYPE_CHECKING:
    from penstock.localaws.application import Application

log = logging.getLogger("penstock.localaws")


def main(arguments: list[str]) -> None:
    """Leave the starter, then serve until SIGTERM or SIGINT."""
    root, port, listener, ready = Path(arguments[0]), *map(int, arguments[1:])
    if os.fork():
        os._exit(0)
    where = layout(root)
    shutil.rmtree(where.scratch, ignore_errors=True)  # unpacked code of a server that was killed
    where.scratch.mkdir(mode=0o700)

    # Only now: MiniStack reads its environment and takes a quarter of a second when imported.
    from penstock.localaws.wiring import build  # noqa: PLC0415

    application = build(where, port, lambda: _announce(root, port, ready), testing(os.environ))
    asyncio.run(_serve(application, listener))
    where.record.unlink(missing_ok=True)


async def _serve(application: "Application", listener: int) -> None:
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415

    config = Config()
    config.bind = [f"fd://{listener}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 3
    config.accesslog = None
    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)

    async def stopped() -> None:
        await asked.wait()
        await application.stop()

    await serve(application, config, shutdown_trigger=stopped)  # type: ignore[arg-type]


def _announce(root: Path, port: int, ready: int) -> None:
    """Write the record and tell the starter; raises when it has given up meanwhile, as nobody knows of us then."""
    where = layout(root)
    write_record(where, port, datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        os.write(ready, b"ready")
    except BrokenPipeError:
        where.record.unlink(missing_ok=True)
        raise
    finally:
        os.close(ready)


if __name__ == "__main__":
    main(sys.argv[1:])
