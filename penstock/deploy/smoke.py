"""Two questions to a fresh deployment: is the front door open, and does what stands behind it answer?"""

from __future__ import annotations

import time

import urllib3

from penstock.deploy.access import Authorise
from penstock.deploy.target import DeployError

_PATIENCE_SECONDS = 60  # an API Gateway deployment takes some seconds to be everywhere


def test(api_url: str, authorise: Authorise | None) -> None:
    """GET /healthz (the function alone) and /projects (settings and ledger too) until both answer 200.

    Raises DeployError with the last answer when that does not happen within a minute.
    """
    with urllib3.PoolManager(retries=False, timeout=30) as http:
        for path in ("/healthz", "/projects"):
            _answers(http, api_url + path, authorise)


def _answers(http: urllib3.PoolManager, url: str, authorise: Authorise | None) -> None:
    deadline, pause, last = time.monotonic() + _PATIENCE_SECONDS, 0.2, "no answer"
    while time.monotonic() < deadline:
        try:
            headers = dict(authorise("GET", url, None, {})) if authorise else {}
            answer = http.request("GET", url, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            last = str(error)
        else:
            if answer.status == 200:
                return
            last = f"{answer.status} {answer.data[:300].decode(errors='replace')}"
        time.sleep(pause)
        pause = min(pause * 2, 5)
    raise DeployError("smoke test", f"{url} says: {last}", "Look at the api function's log.")
