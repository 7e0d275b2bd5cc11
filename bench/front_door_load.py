"""The whole path on the embedded AWS under load: Locust, API Gateway, Lambda, InvokeEndpoint, the model server.

    penstock up; penstock deploy        # and a project whose model reads texts
    python bench/front_door_load.py [--project NAME] [--profiles workshop-42] [--rounds 3] [-- --run-time 10s]

Each round runs each profile of loadtest/ once, as `penstock load` does; beside Locust's figures stand the CPU seconds
of every kind of process. Where the milliseconds of one request go is asked one after the other, without other load: the
API, the function alone (Lambda's Invoke), the endpoint alone (InvokeEndpoint), the model server alone; each includes
the next, so the differences are the hops. Writes bench/results/front_door_load.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import psutil
import urllib3

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "loadtest")]

from compare import PUBLISHED, read  # noqa: E402

from penstock import deploy  # noqa: E402
from penstock.client.api import Api, of  # noqa: E402
from penstock.client.load import Load, profile_of  # noqa: E402
from penstock.client.stage import aim  # noqa: E402
from penstock.localaws import control  # noqa: E402

RESULTS = ROOT / "bench/results/front_door_load.json"
TEXT = "That is a really bad service, I hate it!"  # the workshop's
ALONE = 400  # requests one after the other, for the hops
ROLES = ("embedded AWS", "function", "model server", "Locust")


def main() -> None:
    """Measure, print, keep each round as it ends."""
    wanted = _arguments()
    aim("local", ROOT)
    stage = deploy.locate("local", ROOT)
    project = wanted.project or Api(stage.api_url).get("/projects")["projects"][0]
    document: dict[str, Any] = {"machine": _machine(), "hops_ms": hops(stage, project), "runs": []}
    print(json.dumps(document["hops_ms"], indent=1), flush=True)
    if wanted.add and RESULTS.is_file():
        document["runs"] = json.loads(RESULTS.read_text(encoding="utf-8"))["runs"]
    for number in range(wanted.rounds):
        for profile in wanted.profiles:
            document["runs"].append({"round": number, **one(stage, project, profile, tuple(wanted.more))})
            print(json.dumps(document["runs"][-1]), flush=True)
            document["published"] = [asdict(run) for run in PUBLISHED]
            RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def one(stage: deploy.Deployed, project: str, profile: str, more: tuple[str, ...] = ()) -> dict[str, Any]:
    """One run of a profile: what Locust saw, whether its budget was kept, and whose CPU a request took."""
    server = _server()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{of(project)}/predict"
        load = Load(stage.api_url, path, profile_of(ROOT, profile), Path(folder), None, more)
        before, locust, began = used(server), _children(), time.monotonic()
        code, report = load.run(profile)
        seconds = time.monotonic() - began
        after = {**used(server), "Locust": _children() - locust}
        run = read(profile, report, load.users)
    spent = {role: after.get(role, 0.0) - before.get(role, 0.0) for role in ROLES}
    return {
        **asdict(run),
        "profile": profile,
        "kept": code == 0,
        "load": round(os.getloadavg()[0], 1),
        "cpu_ms_a_request": {role: round(1000 * each / run.requests, 2) for role, each in spent.items()},
        "cores_busy": round(sum(spent.values()) / seconds, 2),
        "functions": sum(role_of(one) == "function" for one in server.children(recursive=True)),
    }


def hops(stage: deploy.Deployed, project: str) -> dict[str, float]:
    """Median milliseconds of each hop alone, of one request after the other."""
    body = json.dumps({"text": TEXT}).encode()
    http, api = urllib3.PoolManager(), f"{stage.api_url}{of(project)}/predict"
    headers = {"Content-Type": "application/json"}
    lambdas, runtime = boto3.client("lambda"), boto3.client("sagemaker-runtime")
    endpoint = Api(stage.api_url).get(f"{of(project)}/endpoint")["name"]
    event = json.dumps(proxy_event(project, body)).encode()
    function = _function(lambdas)
    served = f"http://127.0.0.1:{_port()}/invocations"

    def invoke() -> bytes:
        told: bytes = lambdas.invoke(FunctionName=function, Payload=event)["Payload"].read()
        return told

    def invoke_endpoint() -> bytes:
        answer = runtime.invoke_endpoint(EndpointName=endpoint, ContentType="application/json", Body=body)
        told: bytes = answer["Body"].read()
        return told

    asked: Mapping[str, Callable[[], bytes]] = {
        "API": lambda: http.request("POST", api, body=body, headers=headers).data,
        "function": invoke,
        "endpoint": invoke_endpoint,
        "model server": lambda: http.request("POST", served, body=body, headers=headers).data,
    }
    times: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(ALONE):
        for name, ask in asked.items():
            started = time.perf_counter()
            answer = ask()
            times[name].append((time.perf_counter() - started) * 1000)
            assert b"prediction" in answer, (name, answer)
    return {name: round(statistics.median(each[20:]), 2) for name, each in times.items()}


def proxy_event(project: str, body: bytes) -> dict[str, Any]:
    """What API Gateway hands to the function for this request."""
    resource = "/projects/{project}/predict"
    context = {"resourcePath": resource, "httpMethod": "POST", "requestId": "bench", "path": resource}
    return {
        "requestContext": context, "resource": resource, "path": f"/projects/{project}/predict", "httpMethod": "POST",
        "pathParameters": {"project": project}, "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]}, "queryStringParameters": None,
        "multiValueQueryStringParameters": None, "stageVariables": None, "body": body.decode(),
        "isBase64Encoded": False,
    }  # fmt: skip


def used(server: psutil.Process) -> dict[str, float]:
    """CPU seconds of each role so far; Locust is no child of the server's, and counted when it has ended."""
    found = dict.fromkeys(ROLES[:-1], 0.0)
    for one in (server, *server.children(recursive=True)):
        try:
            found[role_of(one)] += sum(one.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return found


def role_of(process: psutil.Process) -> str:
    """What a process of the embedded AWS does, by its command line."""
    line = " ".join(process.cmdline())
    if line.endswith("_worker.py"):
        return "function"
    return "model server" if " -m serving" in line else "embedded AWS"


def _server() -> psutil.Process:
    running = control.status(ROOT)
    if running is None:
        raise SystemExit(
            "The embedded AWS does not run: penstock up, penstock deploy, and release a model of texts."
        )
    return psutil.Process(running.pid)


def _port() -> int:
    """Where the first model server listens."""
    for one in _server().children(recursive=True):
        if role_of(one) == "model server":
            for connection in one.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
    raise SystemExit("No model server runs: release a model first.")


def _function(lambdas: Any) -> str:
    """The API's own function: Chalice calls it by the stage alone, all others by one name more."""
    return min((one["FunctionName"] for one in lambdas.list_functions()["Functions"]), key=len)


def _children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", help="whose model is asked  [default: the stage's first]")
    parser.add_argument("--profiles", nargs="*", default=["workshop-42", "workshop-100"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--add", action="store_true", help="keep the runs that are there")
    parser.add_argument("more", nargs="*", help="options of Locust, behind --")
    return parser.parse_args()


if __name__ == "__main__":
    main()
