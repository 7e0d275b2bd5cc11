"""Quotas as they are set."""

import pytest

from penstock.localaws.sagemaker import limits


def test_limits_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(limits.VARIABLE, raising=False)
    assert limits.configured() == {}
    monkeypatch.setenv(limits.VARIABLE, '{"Number of endpoints": 3}')
    assert limits.configured() == {"Number of endpoints": 3}


@pytest.mark.parametrize("text", ["{", "[]", '{"a": -1}', '{"a": true}', '{"a": "3"}'])
def test_what_is_no_limit_is_said_at_once(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(limits.VARIABLE, text)
    with pytest.raises(ValueError, match=r"PENSTOCK_SAGEMAKER_LIMITS|Expecting"):
        limits.configured()


def test_every_quota_is_of_an_operation_there_is() -> None:
    assert all(operation.startswith("Create") for operation in limits.QUOTAS)
