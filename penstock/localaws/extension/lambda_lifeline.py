"""A Lambda worker ends when the server ends, even by kill -9 and in the middle of an invocation.

Touches `ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT`, the program a Python worker runs. MiniStack's worker
notices the end of its input only between two invocations; one that is busy would live on as an orphan. We put a
thread in front that waits until the other end of standard input is gone (`poll` for a hang-up reads nothing, so it
does not disturb the worker's own reading) and then ends the process. Checked on MiniStack 1.5.33.
"""

from ministack.core import lambda_runtime

from penstock.localaws.extension import pin

_LIFELINE = """
def _end_with_the_server():
    import os, select, threading
    def wait():
        server = select.poll()
        server.register(0, 0)
        while not any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in server.poll()):
            pass
        os._exit(1)
    threading.Thread(target=wait, daemon=True, name="lifeline").start()
_end_with_the_server()
del _end_with_the_server
"""


def install() -> None:
    """Prepend the lifeline to the worker's program."""
    pin.require(__name__)
    lambda_runtime._PYTHON_WORKER_SCRIPT = _LIFELINE + lambda_runtime._PYTHON_WORKER_SCRIPT
