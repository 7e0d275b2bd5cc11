"""What was requested comes before what the container proposes, and that before AWS's defaults."""

from typing import Any

import pytest

from penstock.localaws.sagemaker.transform.faults import reason
from penstock.localaws.sagemaker.transform.parameters import MB, Parameters, proposal, resolve, settings

PROPOSED = {"MaxConcurrentTransforms": 4, "MaxPayloadInMB": 2, "BatchStrategy": "SINGLE_RECORD"}


@pytest.mark.parametrize(
    ("request_", "proposed", "expected"),
    [
        ({}, {}, Parameters(1, 6, False, 600, 3)),
        ({}, PROPOSED, Parameters(4, 2, True, 600, 3)),
        ({"MaxConcurrentTransforms": 0}, PROPOSED, Parameters(4, 2, True, 600, 3)),
        ({"MaxPayloadInMB": 0}, PROPOSED, Parameters(4, 0, True, 600, 3)),
        ({"MaxPayloadInMB": 50}, PROPOSED, Parameters(2, 50, True, 600, 3)),
        (
            {
                "MaxConcurrentTransforms": 9,
                "MaxPayloadInMB": 11,
                "BatchStrategy": "MultiRecord",
                "ModelClientConfig": {"InvocationsTimeoutInSeconds": 5, "InvocationsMaxRetries": 0},
            },
            PROPOSED,
            Parameters(9, 11, False, 5, 0),
        ),
    ],
)
def test_precedence(request_: dict[str, Any], proposed: dict[str, Any], expected: Parameters) -> None:
    assert resolve(request_, proposed) == expected


def test_a_payload_of_0_is_any_size() -> None:
    assert resolve({"MaxPayloadInMB": 0}, {}).most is None
    assert resolve({}, {}).most == 6 * MB


@pytest.mark.parametrize(
    ("concurrency", "payload", "places"), [(1, 6, 2), (4, 25, 8), (100, 6, 33), (1, 100, 2), (100, 0, 200)]
)
def test_what_is_held_in_memory_is_bounded(concurrency: int, payload: int, places: int) -> None:
    assert Parameters(concurrency, payload, False, 600, 3).places == places


def test_the_data_log_says_what_holds() -> None:
    said = "MaxConcurrentTransforms=4, MaxPayloadInMB=2, BatchStrategy=SINGLE_RECORD"
    assert resolve({}, PROPOSED).said == said


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"MaxConcurrentTransforms": 8, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 6}', 3),
        (200, b'{"MaxConcurrentTransforms": 0, "BatchStrategy": "Multi", "MaxPayloadInMB": 101}', 0),
        (200, b'{"MaxConcurrentTransforms": true, "MaxPayloadInMB": "6"}', 0),
        (200, b"[1]", 0),
        (200, b"what?", 0),
        (404, b'{"MaxPayloadInMB": 6}', 0),
        (0, b"", 0),
    ],
)
def test_a_proposal_counts_as_far_as_it_makes_sense(status: int, body: bytes, expected: int) -> None:
    assert len(proposal(status, body)) == expected


def test_only_what_the_caller_set_is_in_the_environment() -> None:
    assert settings({}) == {"SAGEMAKER_BATCH": "true"}
    assert settings({"MaxPayloadInMB": 0, "BatchStrategy": "SingleRecord", "MaxConcurrentTransforms": 2}) == {
        "SAGEMAKER_BATCH": "true",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB": "0",
        "SAGEMAKER_BATCH_STRATEGY": "SINGLE_RECORD",
        "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": "2",
    }


@pytest.mark.parametrize(
    ("blames", "expected"),
    [
        (set(), None),
        ({"ClientError"}, "ClientError: See job logs for more information"),
        ({"ClientError", "AlgorithmError"}, "AlgorithmError: See job logs for more information"),
        (
            {"ClientError", "InternalServerError"},
            "InternalServerError: We encountered an internal error. Please try again.",
        ),
    ],
)
def test_the_reason_names_the_worst(blames: set[str], expected: str | None) -> None:
    assert reason(blames) == expected
