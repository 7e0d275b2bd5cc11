"""`python -m serving`: bind the port, load the model, serve until SIGTERM. Exit code 1: it cannot serve."""

import contextlib
import logging
import os
import socket
import sys

from serving import source
from serving.errors import StartError
from serving.metrics import Board, Metrics
from serving.settings import Settings
from serving.worker import Worker
from serving.workers import Inheritance, Workers, inheritance


def main() -> int:
    """Serve as the environment says; return the exit code."""
    try:
        settings = Settings.read(os.environ)
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s - %(name)s - %(message)s"
        )
        inherited = inheritance(os.environ)
        settings = source.prepare(settings)
        if inherited is not None:
            return _serve_as_one_of_several(settings, inherited)
        listener = _listen(settings)
        if settings.workers > 1:
            return Workers(settings.workers, listener).run()
        return Worker(settings, Metrics(Board(1), 0)).listen(listener)
    except (StartError, OSError) as error:
        sys.stderr.write(f"serving: {error}\n")
        return 1


def _serve_as_one_of_several(settings: Settings, inherited: Inheritance) -> int:
    board = Board(settings.workers, inherited.board)
    return Worker(settings, Metrics(board, inherited.number)).take_from(inherited.parent)


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        raise StartError(
            f"{where}: {error.strerror}. Set SAGEMAKER_BIND_TO_PORT and SAGEMAKER_BIND_TO_HOST to a free one."
        ) from error
    return listener


if __name__ == "__main__":
    code = main()
    with contextlib.suppress(OSError):  # a full disk, a closed pipe
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: a prediction that never ends must not keep a process that was told to stop.
    os._exit(code)
