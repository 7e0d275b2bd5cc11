"""The stage's own functions, called and waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from chalicelib.adapters.aws import calling
from chalicelib.errors import PipelineError, rebuilt

REFUSED = "refused"


class LambdaFunctions:
    """The Functions port on Lambda. A refusal is an answer, `{"refused": …}`: of an error Lambda keeps but the text."""

    def __init__(self, client: Any, stage: str) -> None:
        self._client, self._stage = client, stage

    def call(self, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the function answers. Raises the error it refused with."""
        where = f"function penstock-{self._stage}-{name}"
        with calling(where):
            answer = self._client.invoke(
                FunctionName=f"penstock-{self._stage}-{name}", Payload=json.dumps(document).encode()
            )
            told: dict[str, Any] = json.loads(answer["Payload"].read())
        if answer.get("FunctionError"):
            what = f"it failed: {told.get('errorType')}: {told.get('errorMessage')}"
            raise PipelineError(where, what, "Report it as a bug, with this request_id; its log says more.")
        if REFUSED in told:
            raise rebuilt(told[REFUSED])
        return told
