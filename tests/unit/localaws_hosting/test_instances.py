"""An instance is looked after: started again when it ends, replaced when it no longer answers /ping."""

import http.server
import itertools
import threading
import time

import pytest

from penstock.localaws.sagemaker.hosting.instances import Health, Instance


class Container:
    """A process as an instance sees it: a server of /ping that a test may make fall silent or end."""

    def __init__(self, port, status=200, code=None):
        self.pid, self.last_errors = 1, ["out of luck"]
        self.exit_code = code
        self.answers, self.pings = itertools.repeat(status), 0
        self.killed, self.terminated = False, False
        self._ended = threading.Event()
        container = self

        class Ping(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                container.pings += 1
                self.send_response(next(container.answers))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Ping)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        if code is not None:
            self.end(code)

    @property
    def alive(self):
        return not self._ended.is_set()

    def wait(self, timeout=None):
        self._ended.wait(timeout)
        return self.exit_code if self._ended.is_set() else None

    def end(self, code):
        if self.alive:
            self.exit_code = code
            self._server.shutdown()
            self._server.server_close()
            self._ended.set()

    def kill(self):
        self.killed = True
        self.end(137)

    def terminate(self, _grace):
        self.terminated = True
        self.end(0)


class Containers:
    """Starts them, and keeps them."""

    def __init__(self, **members):
        self.members, self.started = members, []

    def __call__(self, _instance, port):
        self.started.append(Container(port, **self.members))
        return self.started[-1]


def eventually(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def instance(request):
    given = getattr(request, "param", {})
    containers = Containers(**given)
    heard = []
    patience = 0.3 if given.get("status") else 30.0
    made = Instance(containers, patience, Health(every=0.02, seconds=1.0, misses=3), heard.append)
    made.containers, made.heard = containers, heard
    yield made
    made.stop(1.0)


def test_one_that_answers_ping_takes_requests_and_tells_how_long_that_took(instance):
    assert instance.wait_healthy() is None
    assert (instance.ready, instance.pid, instance.failed) == (True, 1, False)
    eventually(lambda: len(instance.heard) == 1)
    assert instance.heard[0] > 0


def test_one_that_stops_answering_ping_is_killed_and_started_again(instance):
    assert instance.wait_healthy() is None
    first = instance.containers.started[0]
    first.answers = itertools.repeat(500)
    eventually(lambda: len(instance.containers.started) == 2 and instance.ready)
    assert (first.killed, first.terminated) == (True, False)
    assert instance.wait_healthy() is None


def test_missed_pings_that_do_not_follow_one_another_are_forgiven(instance):
    assert instance.wait_healthy() is None
    first = instance.containers.started[0]
    first.answers = itertools.cycle([503, 503, 200])
    seen = first.pings
    eventually(lambda: first.pings > seen + 12)
    assert (first.killed, len(instance.containers.started)) == (False, 1)


def test_one_that_ends_is_started_again(instance):
    assert instance.wait_healthy() is None
    instance.containers.started[0].end(9)
    eventually(lambda: len(instance.containers.started) == 2 and instance.ready)


@pytest.mark.parametrize("instance", [{"code": 3}], indirect=True)
def test_one_that_ends_before_it_was_healthy_says_why_and_stays_down(instance):
    assert instance.wait_healthy() == "The container exited with code 3: out of luck"
    assert instance.failed
    assert len(instance.containers.started) == 1


@pytest.mark.parametrize("instance", [{"status": 503}], indirect=True)
def test_one_that_never_answers_ping_fails_after_its_patience(instance):
    assert instance.wait_healthy() == "It did not answer within 0 seconds."
    assert instance.containers.started[0].terminated
