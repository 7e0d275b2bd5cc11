"""The front door's own cost: what importing takes, and what a request costs beside InvokeEndpoint.

    python bench/front_door.py            # writes bench/results/front_door.json

The model is one in memory that answers at once, so all that is measured is ours: Chalice, the checks against the
request schema, the answer's shape, and the log line. The cold import is a fresh interpreter's, best of rounds.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ["PENSTOCK_STAGE"] = "bench"
ROUNDS, REQUESTS = 7, 2000
COLD = "import time; w, c = time.perf_counter(), time.process_time(); import {}; "
COLD += "print((time.perf_counter() - w) * 1000, (time.process_time() - c) * 1000)"
FEATURES = [{"name": f"n{i}", "role": "number"} for i in range(20)] + [{"name": "body", "role": "text"}]
BODIES = {
    "text": {"text": "That is a really bad service, I hate it!"},
    "one record of 20 numbers": {f"n{i}": i * 0.5 for i in range(20)},
    "100 records of 20 numbers": {"instances": [{f"n{i}": i * 0.5 for i in range(20)}] * 100},
}


def cold(module: str) -> dict[str, float]:
    """Milliseconds of an import in a fresh interpreter, the best of the rounds: by the clock, and of the processor.

    On a busy machine the second is what an idle one would take.
    """
    command, found = [sys.executable, "-c", COLD.format(module)], []
    for _ in range(ROUNDS):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found.append([float(one) for one in done.stdout.split()])
    return {
        "wall": round(min(one[0] for one in found), 1),
        "processor": round(min(one[1] for one in found), 1),
    }


def event(body: bytes) -> dict[str, Any]:
    """A proxy event of API Gateway."""
    context = {
        "resourcePath": "/projects/{project}/predict",
        "httpMethod": "POST",
        "requestId": "r",
        "path": "/p",
    }
    return {
        "requestContext": context, "path": "/projects/churn/predict", "pathParameters": {"project": "churn"},
        "headers": {"content-type": "application/json"}, "multiValueQueryStringParameters": None,
        "stageVariables": None, "body": body.decode(), "isBase64Encoded": False,
    }  # fmt: skip


def per_request() -> dict[str, dict[str, float]]:
    """Milliseconds of our own by kind of body."""
    import app as doors  # noqa: PLC0415
    from chalicelib import wiring  # noqa: PLC0415
    from chalicelib.domain.model_version import Champion  # noqa: PLC0415
    from tests import builders  # noqa: PLC0415
    from tests.fakes import FakePorts  # noqa: PLC0415

    ports = FakePorts()
    ports.ledger.put_project(builders.a_spec(), builders.AT)
    ports.ledger.put_champion(
        Champion("churn", "churn-0001-x", "s3://b/m", "arn", 1, "e", "c", {}, builders.AT)
    )
    uri = f"s3://{builders.BUCKET}/runs/churn-0001-x/evaluate/request.schema.json"
    ports.documents.write(uri, {"x-features": FEATURES, "x-classes": ["no", "yes"]})
    wiring.ports = lambda: ports  # type: ignore[assignment,return-value]
    return {name: timed(doors.app, ports, document) for name, document in BODIES.items()}


def timed(app: Any, ports: Any, document: dict[str, Any]) -> dict[str, float]:
    """p50 and p99 of one kind of request."""
    one = {"prediction": "yes", "score": 0.9, "probabilities": {"no": 0.1, "yes": 0.9}}
    ports.predictor.answer = {"predictions": [one] * len(document.get("instances", [0]))}
    asked, spent = event(json.dumps(document).encode()), []
    with Path(os.devnull).open("w") as nowhere:
        kept, sys.stdout = sys.stdout, nowhere
        try:
            for _ in range(REQUESTS):
                started = time.perf_counter()
                answer = app(asked, None)
                spent.append((time.perf_counter() - started) * 1000)
                ports.predictor.asked.clear()
        finally:
            sys.stdout = kept
    assert answer["statusCode"] == 200, answer
    cuts = statistics.quantiles(spent[100:], n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}


def main() -> None:
    """Measure, print, keep."""
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "cold_import_ms": cold("app"),
        "of_which_botocore_alone_ms": cold("botocore.session"),
        "own_time_a_request": per_request(),
    }
    text = json.dumps(result, indent=1)
    (ROOT / "bench" / "results" / "front_door.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
