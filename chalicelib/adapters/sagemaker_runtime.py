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
from chalicelib.domain import limits
from chalicelib.domain.prediction import REFUSALS, Answer, Question, refusal, said
from chalicelib.errors import AwsTrouble, BadRequest, JobFailed, NotReady, PipelineError, Throttled, TimedOut


class SageMakerPredictor:
    """The Predictor port on SageMaker's runtime."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, endpoint: str, question: Question, inference_id: str) -> Answer:
        """One call of the endpoint; the model's own refusals come back in its own words."""
        chosen = {"TargetVariant": question.variant} if question.variant else {}
        try:
            answer = self._client.invoke_endpoint(
                EndpointName=endpoint,
                ContentType=question.content_type,
                Accept=question.accept,
                Body=question.body,
                InferenceId=inference_id,
                **chosen,
            )
            body = answer["Body"].read()
        except ReadTimeoutError as error:
            raise TimedOut(f"endpoint {endpoint}", "no answer in time", limits.CURE) from error
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


_BUSY = ("Throttl", "TooManyRequests", "RequestLimitExceeded", "ServiceQuotaExceeded")
_BUSY_WORDS = ("throttl", "rate exceeded", "too many requests", "capacity", "concurren")


def _translated(error: ClientError, endpoint: str) -> PipelineError:
    where, code, message = f"endpoint {endpoint}", code_of(error), message_of(error)
    if code == "ModelError":
        return _model_error(error, where)
    if code == "ModelNotReadyException":
        return NotReady(where, "the model is loading", "Try again after Retry-After seconds.", status=503)
    if _throttled(error):
        return Throttled(where, "too many requests at once", "Try again after Retry-After seconds.")
    if code in {"ValidationError", "ValidationException"}:
        return _refused(where, message)
    return translated(error, where)


def _throttled(error: ClientError) -> bool:
    """Whatever shape it has: by name, by status, by the words of a 503, or a 400 with no message at all."""
    code, status, words = code_of(error), status_of(error), message_of(error).lower()
    if any(name in code for name in _BUSY) or status == 429 or (status == 400 and not words):
        return True
    return code == "ServiceUnavailable" and any(word in words for word in _BUSY_WORDS)


def _refused(where: str, message: str) -> PipelineError:
    words = message.lower()
    if "variant" in words and "not found" in words:
        return BadRequest(
            "variant", "the endpoint has no such variant now", "Leave it out, or try again later."
        )
    if "not found" in words:
        advice = "GET /projects/{project}/endpoint shows its state."
        return NotReady(where, "it is not there", advice, status=503)
    if "size" in words or "too large" in words or "exceed" in words:
        return BadRequest("body", "larger than the endpoint takes", limits.CURE, status=413)
    return BadRequest("request", message, "Correct it and send it again.")


def _model_error(error: ClientError, where: str) -> PipelineError:
    status = int(str(error.response.get("OriginalStatusCode", 500)))
    message = str(error.response.get("OriginalMessage") or message_of(error))
    if status == 429:
        return Throttled(where, "the model is busy", "Try again after Retry-After seconds.")
    if status in REFUSALS:
        return refusal(status, message)
    if status == 503:
        return NotReady(
            where, f"the model is not ready: {said(message)}", "Try again in a moment.", status=503
        )
    if status in {0, 504}:  # 0: the model gave no answer within SageMaker's own 60 s
        return TimedOut(where, "the model did not answer in time", limits.CURE)
    return JobFailed(
        where, f"the model failed with {status}: {said(message)}", "Its log is in /aws/sagemaker/Endpoints."
    )
