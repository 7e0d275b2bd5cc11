"""One question to a fresh deployment: does the API answer, with the stage it should have?"""

from __future__ import annotations

import json
import time

import urllib3

from penstock.deploy.target import DeployError

_PATIENCE_SECONDS = 60  # an API Gateway deployment takes some seconds to be everywhere


def test(api_url: str, stage: str) -> None:
    """GET /healthz until it answers 200 for this stage; raises DeployError with the last answer otherwise."""
    http = urllib3.PoolManager(retries=False, timeout=30)
    deadline, pause, last = time.monotonic() + _PATIENCE_SECONDS, 0.2, "no answer"
    while time.monotonic() < deadline:
        try:
            answer = http.request("GET", f"{api_url}/healthz")
            last = f"{answer.status} {answer.data[:300].decode(errors='replace')}"
            if answer.status == 200 and json.loads(answer.data).get("stage") == stage:
                return
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            last = str(error)
        time.sleep(pause)
        pause = min(pause * 2, 5)
    raise DeployError("smoke test", f"{api_url}/healthz says: {last}", "Look at the api function's log.")
