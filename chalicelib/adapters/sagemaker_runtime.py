"""Asks models through InvokeEndpoint, and tells whose fault it is when there is no answer."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)

from chalicelib.adapters.aws import code_of, message_of, status_of, translated
from chalicelib.domain.prediction import Answer, Question, refusal
from chalicelib.errors import AwsTrouble, BadRequest, JobFailed, NotReady, PipelineError, Throttled, TimedOut


class SageMakerPredictor:
    """The Predictor port on SageMaker's runtime."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, endpoint: str, question: Question, inference_id: str) -> Answer:
        """One call of the endpoint; the model's own refusals come back in its own words."""
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=endpoint,
                ContentType=question.content_type,
                Accept=question.accept,
                Body=question.body,
                InferenceId=inference_id,
            )
            body = answer["Body"].read()
        except ReadTimeoutError as error:
            what = "no answer in time"
            raise TimedOut(
                f"endpoint {endpoint}", what, "Send fewer rows a request, or a faster model."
            ) from error
        except (ConnectTimeoutError, ConnectionClosedError) as error:
            raise AwsTrouble(
                f"endpoint {endpoint}", f"connection lost: {error}", "Try again in a moment."
            ) from error
        except ClientError as error:
            raise _translated(error, endpoint) from error
        except BotoCoreError as error:
            raise translated(error, f"endpoint {endpoint}") from error
        variant = str(answer.get("InvokedProductionVariant", ""))
        return Answer(body, str(answer.get("ContentType", question.accept)), variant, inference_id)


def _translated(error: ClientError, endpoint: str) -> PipelineError:
    where, code, message = f"endpoint {endpoint}", code_of(error), message_of(error)
    if code == "ModelError":
        return _model_error(error, where)
    if code == "ModelNotReadyException":
        return NotReady(where, "the model is loading", "Try again in a moment.", status=503)
    if "Throttl" in code or status_of(error) == 429 or (status_of(error) == 400 and not message):
        # A throttled InvokeEndpoint has been seen as a 400 with no message at all.
        return Throttled(where, "too many requests at once", "Try again after Retry-After seconds.")
    if code in {"ValidationError", "ValidationException"} and "not found" in message.lower():
        return NotReady(
            where, "it is not there", "GET /projects/{project}/endpoint shows its state.", status=503
        )
    if code in {"ValidationError", "ValidationException"}:
        return BadRequest("request", message, "Correct it and send it again.")
    return translated(error, where)


def _model_error(error: ClientError, where: str) -> PipelineError:
    status = int(str(error.response.get("OriginalStatusCode", 500)))
    message = str(error.response.get("OriginalMessage") or message_of(error))
    if status == 429:
        return Throttled(where, "the model is busy", "Try again after Retry-After seconds.")
    if 400 <= status < 500:
        return refusal(status, message)
    if status == 503:
        return NotReady(where, f"the model is not ready: {message}", "Try again in a moment.", status=503)
    if status in {0, 504}:  # 0: the model gave no answer within SageMaker's own 60 s
        return TimedOut(where, f"the model did not answer in time: {message}", "Send fewer rows a request.")
    return JobFailed(
        where, f"the model failed with {status}: {message}", "Its log is in /aws/sagemaker/Endpoints."
    )
