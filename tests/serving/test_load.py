"""Under load: batches, a full queue, workers that share evenly and die, callers that give up, the numbers of it all."""

import http.client
import json
import os
import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

BATCHED = {
    "SERVING_ENABLE_BATCHING": "true",
    "SERVING_BATCH_TIMEOUT_MICROS": "2000000",
    "SERVING_NUM_BATCH_THREADS": "1",
}
SIZES = """
    import json

    def model_fn(model_dir):
        return None

    def input_fn(body, content_type):
        rows = json.loads(body)
        if rows == "bad":
            raise ValueError("bad")
        return rows

    def predict_fn(data, model):
        if any(row.get("poison") for row in data):
            raise ValueError("poison")
        return [{"row": row, "together": len(data)} for row in data]

    def output_fn(prediction, accept):
        return json.dumps(prediction), "application/json"
"""
HELD = """
    import pathlib, time

    def model_fn(model_dir):
        return pathlib.Path(model_dir)

    def predict_fn(data, model):
        (model / "started").touch()
        while not (model / "go").exists():
            time.sleep(0.01)
        return "done"
"""
PID = """
    import os

    def model_fn(model_dir):
        return os.getpid()

    def predict_fn(data, model):
        return model
"""


def at_once(server, bodies):
    """The replies to requests that are all under way together, in their order."""
    with ThreadPoolExecutor(len(bodies)) as pool:
        return list(pool.map(lambda body: server.invoke(json.dumps(body).encode()), bodies))


def test_requests_are_predicted_together_and_everyone_gets_the_own_rows(serve):
    """A batch is full at four: it goes at once although it might wait two seconds for more."""
    server = serve(SIZES, SERVING_MAX_BATCH_SIZE="4", **BATCHED).wait_until_healthy()
    replies = at_once(server, [[{"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}], [{"n": 5}]])
    rows = [reply.json() for reply in replies]
    assert [[one["row"]["n"] for one in part] for part in rows] == [[1], [2, 3], [4], [5]]
    assert {one["together"] for part in rows for one in part} == {5}
    assert 'serving_batch_requests_bucket{le="4"} 1' in server.call("GET", "/metrics").body.decode()


def test_one_bad_request_does_not_spoil_a_batch(serve):
    server = serve(SIZES, SERVING_MAX_BATCH_SIZE="3", **BATCHED).wait_until_healthy()
    unread = at_once(server, [[{"n": 1}], "bad", [{"n": 2}]])
    assert [reply.status for reply in unread] == [200, 500, 200]
    unpredictable = at_once(server, [[{"n": 1}], [{"poison": 1}], [{"n": 2}]])
    assert [reply.status for reply in unpredictable] == [200, 500, 200]
    assert unpredictable[2].json() == [{"row": {"n": 2}, "together": 1}]


def test_without_being_asked_to_nothing_is_batched(serve):
    server = serve(SIZES, SERVING_BATCH_TIMEOUT_MICROS="2000000").wait_until_healthy()
    replies = at_once(server, [[{"n": n}] for n in range(8)])
    assert {reply.json()[0]["together"] for reply in replies} == {1}


def test_a_full_queue_says_429_and_does_not_grow(serve):
    """One predicts, two wait; the fourth is told to come again. The others are answered when the model is done."""
    server = serve(HELD, SERVING_NUM_BATCH_THREADS="1", SERVING_MAX_ENQUEUED="2").wait_until_healthy()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(server.invoke, b"[1]")
        server.wait_for((server.base / "model/started").exists)
        others = [pool.submit(server.invoke, b"[1]") for _ in range(2)]
        server.wait_for(lambda: "serving_waiting_requests 2" in server.call("GET", "/metrics").body.decode())

        refused = server.invoke(b"[1]")

        assert refused.status == 429
        assert "2 requests wait already" in refused.json()["error"]
        assert server.ping() == 200
        (server.base / "model/go").touch()
        assert [one.result().status for one in (first, *others)] == [200, 200, 200]
    assert server.invoke(b"[1]").status == 200
    assert 'serving_requests_total{status="429"} 1' in server.call("GET", "/metrics").body.decode()


def test_what_a_caller_gave_up_waiting_for_is_not_predicted(serve):
    server = serve(HELD, SERVING_NUM_BATCH_THREADS="1").wait_until_healthy()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.invoke, b"[1]")
        server.wait_for((server.base / "model/started").exists)
        impatient = http.client.HTTPConnection("127.0.0.1", server.port)
        impatient.request("POST", "/invocations", b"[1]")
        server.wait_for(lambda: "serving_waiting_requests 1" in server.call("GET", "/metrics").body.decode())
        impatient.close()
        server.wait_for(lambda: "serving_connections 2" in server.call("GET", "/metrics").body.decode())
        (server.base / "model/go").touch()
        assert first.result().status == 200
    assert server.invoke(b"[1]").status == 200
    told = [(line["status"], "inference_ms" in line) for line in server.lines("request")]
    assert sorted(told) == [(200, True), (200, True), (499, False)]


def test_workers_get_as_many_connections_each(serve):
    """Eight that stay open, four to each of two: none starves while another has all the work."""
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_for(lambda: server.ping() == 200)
    server.wait_for(lambda: "serving_ready_workers 2" in server.call("GET", "/metrics").body.decode())
    callers = [http.client.HTTPConnection("127.0.0.1", server.port) for _ in range(8)]
    seen = []
    for caller in callers:
        caller.request("POST", "/invocations", b"[1]")
        seen.append(json.loads(caller.getresponse().read()))
    assert sorted(seen.count(pid) for pid in set(seen)) == [4, 4]
    for caller in callers:
        caller.close()


def test_a_worker_killed_under_load_costs_only_what_it_was_answering(serve):
    """Four callers ask without pause while one of two workers dies: each loses at most the request under way."""
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_for(lambda: server.ping() == 200)
    server.wait_for(lambda: "serving_ready_workers 2" in server.call("GET", "/metrics").body.decode())
    stop, lost, answers = threading.Event(), [], []

    def ask_on() -> None:
        mine = 0
        while not stop.is_set():
            try:
                answers.append(server.invoke(b"[1]").json())
            except (OSError, http.client.HTTPException):
                mine += 1
        lost.append(mine)

    callers = [threading.Thread(target=ask_on) for _ in range(4)]
    for caller in callers:
        caller.start()
    server.wait_for(lambda: len(set(answers)) == 2)
    os.kill(answers[-1], signal.SIGKILL)
    server.wait_for(lambda: len(set(answers)) == 3)  # the one started in its place answers too
    stop.set()
    for caller in callers:
        caller.join()
    assert max(lost) <= 1
    assert server.lines("worker_died")[0]["code"] == -signal.SIGKILL


def test_the_log_line_has_the_inference_time_and_metrics_add_up_over_workers(serve):
    server = serve(PID, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_for(lambda: server.ping() == 200)
    for _ in range(6):
        assert server.invoke(b"[1]").status == 200
    line = server.lines("request")[-1]
    assert re.fullmatch(r"Inference took 0\.\d{6} s", line["message"])
    assert 0 < line["inference_ms"] <= line["ms"]
    text = server.call("GET", "/metrics").body.decode()
    assert 'serving_requests_total{status="200"} 6' in text
    assert "serving_inference_seconds_count 6" in text
    assert 'serving_request_seconds_bucket{le="+Inf"} 6' in text
