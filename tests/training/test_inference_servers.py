"""How a refusal of inference.py reaches the caller through AWS's own servers, and through ours."""

import json
import sys
from types import ModuleType

import flask
import inference
import pytest


class GenericInferenceToolkitError(Exception):
    """As the toolkit's: what its Transformer makes an answer of."""

    def __init__(self, status_code: int, message: str) -> None:
        super().__init__(message)
        self.status_code, self.message = status_code, message


def asked(body: str, content_type: str) -> object:
    """What these servers do: one function after the other."""
    data = inference.input_fn(body, content_type)
    return inference.output_fn(inference.predict_fn(data, None), "application/json")


def test_our_server_gets_the_error_itself() -> None:
    with pytest.raises(inference.RequestError) as refused:
        asked("a,b", "image/png")
    assert refused.value.status == 415


def test_the_inference_toolkit_gets_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("sagemaker_inference.errors")
    module.GenericInferenceToolkitError = GenericInferenceToolkitError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sagemaker_inference.errors", module)
    with pytest.raises(GenericInferenceToolkitError) as refused:
        asked("[1]", "application/json")
    assert refused.value.status_code == 400
    assert json.loads(refused.value.message)["faults"][0]["instance"] == 0


def test_sagemaker_containers_gets_a_flask_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes 500 of whatever is raised, so nothing is."""
    monkeypatch.setitem(sys.modules, "sagemaker_containers", ModuleType("sagemaker_containers"))
    answer = asked("{", "application/json")
    assert isinstance(answer, flask.Response)
    assert answer.status_code == 400
    assert "not valid JSON" in answer.get_json()["error"]


def test_what_is_no_refusal_is_raised_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sagemaker_containers", ModuleType("sagemaker_containers"))
    with pytest.raises(AttributeError):
        inference.predict_fn([{"a": 1}], None)
