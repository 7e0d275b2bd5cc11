"""The doors, through Chalice's own test client: events, states, REST, and every refusal as a problem document."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from chalice.deploy.swagger import TemplatedSwaggerGenerator
from chalice.test import Client

import app as doors
from chalicelib import settings, wiring
from chalicelib.domain.model_version import Champion
from chalicelib.doors import Http
from chalicelib.errors import (
    AwsTrouble,
    JobFailed,
    Misconfigured,
    NotReady,
    PipelineError,
    Throttled,
    TimedOut,
)
from chalicelib.settings import Doors
from tests import builders
from tests.fakes import TROUBLE, FakePorts, Machine

ROOT = Path(__file__).parents[3]
JSON = {"Content-Type": "application/json"}
METHODS = {"GET", "PUT", "POST", "DELETE"}


@pytest.fixture
def client(ports: FakePorts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Chalice's client over the ports in memory; wiring's one function is the seam."""
    monkeypatch.setattr(wiring, "ports", lambda: ports)
    monkeypatch.setenv("PENSTOCK_STAGE", "test")
    with Client(doors.app, stage_name="local", project_dir=str(ROOT)) as made:
        yield made


def ask(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    raw = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    return client.http.request(method, path, headers={**JSON, **headers}, body=raw or b"")


def crown(ports: FakePorts) -> None:
    ports.ledger.put_champion(
        Champion("churn", "churn-0001-x", "s3://b/m", "arn", 1, "e1", "c", {}, builders.AT)
    )


def test_an_s3_event_starts_a_run(client: Client, ports: FakePorts) -> None:
    answer = client.lambda_.invoke("ingest", builders.an_s3_event(key="drop/churn/a b+c äö.csv"))
    assert answer.payload["outcome"] == "recorded"
    assert ports.ledger.objects("churn")[0].key == "drop/churn/a b+c äö.csv"
    assert len(ports.workflow.running()) == 1


def test_a_deletion_event_is_told_apart(client: Client, ports: FakePorts) -> None:
    answer = client.lambda_.invoke("ingest", builders.an_s3_event(deleted=True, **{"version-id": "v"}))
    assert answer.payload["outcome"] == "deleted"


def test_a_states_error_goes_out_under_its_own_name(client: Client) -> None:
    with pytest.raises(PipelineError) as caught:
        client.lambda_.invoke("claim", {"project": "churn", "run": "churn-0001-x", "attempt": 1})
    assert type(caught.value).__name__ == "LeaseLost"


def test_a_run_from_claim_to_report(client: Client, ports: FakePorts, machine: Machine) -> None:
    client.lambda_.invoke("ingest", builders.an_s3_event())
    (name,) = ports.workflow.running()
    document = dict(ports.workflow.inputs[name])
    document["claim"] = client.lambda_.invoke("claim", document).payload
    assert document["claim"]["claimed_now"] == 1
    document["error"] = {"state": "Prepare", "Error": "States.Timeout", "Cause": ""}
    assert client.lambda_.invoke("report", document).payload["outcome"] == "failed"
    assert client.lambda_.invoke("sweep", {}).payload["projects"] == 1


def test_each_call_prints_exactly_one_line_with_its_metrics(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(client, "GET", "/healthz")
    client.lambda_.invoke("ingest", builders.an_s3_event())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["Step"] for line in lines] == ["healthz", "ingest"]
    dimensions = {"healthz": [[["Stage", "Step"]], [["Stage"]]], "ingest": [[["Stage", "Step"]]]}
    for line in lines:
        directives = line["_aws"]["CloudWatchMetrics"]
        assert [directive["Dimensions"] for directive in directives] == dimensions[line["Step"]]
        assert {metric["Name"] for one in directives for metric in one["Metrics"]} <= line.keys()
        assert line["Stage"] == "local"
    assert (lines[0]["Requests"], lines[0]["CallerErrors"], lines[0]["ServerErrors"]) == (1.0, 0.0, 0.0)


def test_a_failure_is_in_the_line_and_the_body_is_not(
    client: Client, ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    crown(ports)
    ports.predictor.trouble = JobFailed("endpoint e1", "the model failed with 500: boom", "Look.")
    ask(client, "POST", "/projects/churn/predict", {"text": "a secret of mine"})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"] == "JobFailed"
    assert json.loads(line)["Step"] == "predict"
    assert json.loads(line)["path"] == "/projects/churn/predict"
    assert json.loads(line)["Failures"] == 1.0
    assert json.loads(line)["ServerErrors"] == 1.0
    assert "secret" not in line


def test_a_project_is_created_shown_and_listed(client: Client, ports: FakePorts) -> None:
    spec = builders.a_spec(project="tweets")
    assert ask(client, "PUT", "/projects/tweets", spec).status_code == 201
    assert ask(client, "PUT", "/projects/tweets", spec).status_code == 200
    assert ask(client, "GET", "/projects").json_body == {"projects": ["churn", "tweets"]}
    assert ask(client, "GET", "/projects/tweets").json_body["spec"] == spec


def test_a_bad_spec_names_every_fault(client: Client) -> None:
    answer = ask(client, "PUT", "/projects/churn", builders.a_spec(task="guess", extra=1))
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {fault["where"] for fault in answer.json_body["errors"]} == {"", "task"}


def test_what_became_of_an_upload(client: Client, ports: FakePorts) -> None:
    client.lambda_.invoke("ingest", builders.an_s3_event(key="drop/churn/a b.csv"))
    client.lambda_.invoke("ingest", builders.an_s3_event(key="drop/churn/c.csv"))
    assert len(ask(client, "GET", "/projects/churn/objects").json_body["objects"]) == 2
    (told,) = ask(client, "GET", "/projects/churn/objects?key=drop%2Fchurn%2Fa%20b.csv").json_body["objects"]
    assert (told["key"], told["verdict"], len(told["history"])) == ("drop/churn/a b.csv", "pending", 1)


def test_uploads_come_in_pages_and_their_verdicts_add_up(client: Client, ports: FakePorts) -> None:
    for number in range(7):
        ports.ledger.record(builders.a_record(key=f"drop/churn/#{number} +.csv", version_id=f"v {number}"))
    ports.ledger.delete(builders.an_upload(kind="deleted", key="drop/churn/#3 +.csv"), "churn")
    page = ask(client, "GET", "/projects/churn/objects?limit=3").json_body
    assert (page["total"], page["verdicts"]) == (7, {"deleted": 1, "pending": 6})
    told, pages = page["objects"], 1
    while page["next"]:
        page = ask(client, "GET", f"/projects/churn/objects?limit=3&after={quote(page['next'])}").json_body
        assert "total" not in page
        told, pages = told + page["objects"], pages + 1
    assert [one["version_id"] for one in told] == [f"v {number}" for number in range(7)]
    assert pages == 3


def test_uploads_are_counted_where_it_is_asked_for(client: Client, ports: FakePorts) -> None:
    for number in range(4):
        ports.ledger.record(builders.a_record(key=f"drop/churn/{number}.csv", version_id="v"))
    first = ask(client, "GET", "/projects/churn/objects?limit=1&counts=false").json_body
    assert {"total", "verdicts", "more"} & set(first) == set()
    rest = f"/projects/churn/objects?limit=1&counts=true&after={quote(first['next'])}"
    counted = ask(client, "GET", rest).json_body
    assert (counted["verdicts"], counted["total"], counted["more"]) == ({"pending": 3}, 3, None)
    assert ask(client, "GET", "/projects/churn/objects?counts=perhaps").status_code == 400


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "", "1e3", "\u0663"])
def test_a_limit_that_is_none_is_refused(client: Client, limit: str) -> None:
    answer = ask(client, "GET", f"/projects/churn/objects?limit={quote(limit)}")
    assert answer.status_code == 400
    assert "1 to 500" in answer.json_body["detail"]


def test_uploads_that_belong_to_no_project_can_be_asked_for(client: Client) -> None:
    assert ask(client, "GET", "/projects/-/objects").json_body["objects"] == []
    client.lambda_.invoke("ingest", builders.an_s3_event(key="drop/rows.csv"))
    (told,) = ask(client, "GET", "/projects/-/objects?key=drop%2Frows.csv").json_body["objects"]
    assert (told["verdict"], told["reason"][:21]) == ("ignored", "no project in the key")


def test_runs_are_started_by_hand_one_at_a_time(client: Client, ports: FakePorts) -> None:
    assert ask(client, "POST", "/projects/churn/runs").status_code == 409
    ports.ledger.record(builders.a_record())
    started = ask(client, "POST", "/projects/churn/runs")
    assert started.status_code == 202
    assert ask(client, "POST", "/projects/churn/runs").json_body["type"].endswith(":Conflict")
    run = started.json_body["run"]
    assert ask(client, "GET", f"/runs/{run}").json_body["state"] == "RUNNING"
    assert [one["run"] for one in ask(client, "GET", "/projects/churn/runs").json_body["runs"]] == [run]


@pytest.mark.parametrize(
    "path",
    [
        "/projects/nobody",
        "/projects/nobody/objects",
        "/projects/nobody/runs",
        "/projects/nobody/models",
        "/projects/nobody/endpoint",
        "/projects/churn/endpoint",
        "/runs/churn-0001-x",
        "/runs/..%2Fx",
    ],
)
def test_what_is_not_there_is_a_404_that_says_what_to_do(client: Client, path: str) -> None:
    answer = ask(client, "GET", path)
    assert answer.status_code == 404
    assert answer.json_body["type"].endswith(":NotFound")
    assert answer.json_body["request_id"] == answer.headers["X-Request-Id"]


def test_a_prediction_names_who_gave_it(client: Client, ports: FakePorts) -> None:
    crown(ports)
    for path in ("/projects/churn/predict", "/predict"):
        answer = ask(client, "POST", path, {"instances": [{"age": 3}]})
        assert answer.status_code == 200
        assert answer.json_body == ports.predictor.answer
        assert (answer.headers["X-Penstock-Project"], answer.headers["X-Penstock-Model"]) == (
            "churn",
            "churn-0001-x",
        )
        assert answer.headers["X-Penstock-Inference-Id"] == answer.headers["X-Request-Id"]


def test_csv_goes_through_as_csv(client: Client, ports: FakePorts) -> None:
    crown(ports)
    ask(client, "POST", "/predict", b"age,plan\n3,gold\n", **{"Content-Type": "text/csv"})
    assert ports.predictor.asked[0][1].body == b"age,plan\n3,gold\n"


@pytest.mark.parametrize(
    ("trouble", "status", "retry"),
    [
        (Throttled("e", "too many", "Wait."), 429, "1"),
        (TimedOut("e", "slow", "Fewer rows."), 504, None),
        (JobFailed("e", "500: boom", "Look."), 502, None),
        (NotReady("e", "gone", "Look.", status=503), 503, "5"),
        (AwsTrouble("e", "away", "Wait."), 503, "2"),
    ],
)
def test_every_trouble_with_a_model_has_its_own_status(
    client: Client, ports: FakePorts, trouble: PipelineError, status: int, retry: str | None
) -> None:
    crown(ports)
    ports.predictor.trouble = trouble
    answer = ask(client, "POST", "/predict", {"text": "x"})
    assert (answer.status_code, answer.json_body["status"]) == (status, status)
    assert answer.headers.get("Retry-After") == retry
    assert set(answer.json_body) == {"type", "title", "status", "detail", "instance", "request_id", "errors"}


def test_chalices_own_refusals_are_problems_too(client: Client) -> None:
    answer = ask(client, "POST", "/predict", b"<a/>", **{"Content-Type": "application/xml"})
    assert (answer.status_code, answer.json_body["status"]) == (415, 415)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_method_an_address_does_not_take_is_a_405(client: Client) -> None:
    event = {
        "requestContext": {
            "resourcePath": "/predict",
            "httpMethod": "DELETE",
            "requestId": "r",
            "path": "/predict",
        },
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    answer = doors.app(event, None)
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (405, 405)
    assert answer["headers"]["Allow"] == "POST"


def test_a_bug_is_a_problem_too_and_not_a_stack_trace(client: Client, ports: FakePorts) -> None:
    del ports.ledger.specs
    answer = ask(client, "GET", "/projects")
    assert (answer.status_code, answer.json_body["title"]) == (500, "Pipeline error")
    assert "Traceback" not in answer.body.decode()


def test_trouble_of_the_ledger_is_a_503(client: Client, ports: FakePorts) -> None:
    ports.ledger.record(builders.a_record())
    ports.workflow.trouble = TROUBLE
    assert ask(client, "POST", "/projects/churn/runs").status_code == 503


def test_importing_the_app_needs_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PENSTOCK_STAGE", raising=False)
    importlib.reload(importlib.import_module("chalicelib.observability"))


def test_every_function_has_its_policy_and_every_stage_its_name() -> None:
    config = json.loads((ROOT / ".chalice" / "config.json").read_text())
    names = {
        "api_handler",
        *(f.name for f in doors.app.pure_lambda_functions),
        *(e.name for e in doors.app.event_sources),
    }
    for stage, described in config["stages"].items():
        assert described["environment_variables"]["PENSTOCK_STAGE"] == stage
        assert described["lambda_functions"].keys() == names
        for function in described["lambda_functions"].values():
            policy = json.loads((ROOT / ".chalice" / function["iam_policy_file"]).read_text())
            assert all("*" not in statement["Action"] for statement in policy["Statement"])


def test_an_erased_key_is_in_no_line_of_the_log(
    client: Client, ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address holds it; what is logged must not."""
    ports.ledger.put_project(builders.a_spec(key="age"), builders.AT)
    answer = ask(client, "DELETE", f"/projects/churn/records/{quote('person ü&4711', safe='')}")
    assert answer.status_code == 202
    told = answer.json_body
    kept = ports.documents.read(
        f"s3://{ports.settings.bucket}/runs/erasures/churn/{told['erasure']}/keys.json"
    )
    assert kept is not None
    assert kept["keys"] == [["person ü&4711"]]
    again = ask(client, "POST", "/projects/churn/erasures", {"keys": ["person ü&4711"]}).json_body
    assert again["erasure"] == told["erasure"]
    assert ask(client, "GET", told["url"]).json_body["state"] == "waiting"
    assert len(ask(client, "GET", "/projects/churn/erasures").json_body["erasures"]) == 1
    assert ask(client, "POST", "/projects/churn/erasures", []).status_code == 400
    assert ask(client, "POST", "/projects/churn/erasures", {"keys": [""]}).status_code == 422
    for mistyped in ({"dryRun": True}, {"dry_run": "yes"}, {"dry_run": 1}, {"dry_run": None}):
        refused = ask(client, "POST", "/projects/churn/erasures", {"keys": ["4712"], **mistyped})
        assert (refused.status_code, [one["where"] for one in refused.json_body["errors"]]) == (
            422,
            list(mistyped),
        )
    assert len(ports.erasures.all("churn")) == 1
    logged = capsys.readouterr().out
    assert "/projects/churn/records/..." in logged
    assert "4711" not in logged


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/projects/{'x' * 1100}", 404),
        (f"/runs/{'%C3%BC' * 101}", 404),
        (f"/batch/{'x' * 1100}", 404),
        (f"/projects/churn/erasures/{'x' * 1100}", 404),
        (f"/projects/churn/objects?after={'x' * 1001}", 400),
    ],
)
def test_a_name_longer_than_any_key_is_nobodys(client: Client, path: str, status: int) -> None:
    answer = ask(client, "GET", path)
    assert (answer.status_code, len(answer.body) < 1000 + len(path)) == (status, True)


# ── Who may come in, what is said of the doors, and what is never said ───────────────────────────────────────────────
def guarded(authorisation: str = "none", origin: str = "") -> Http:
    made = Http(doors=Doors(authorisation, origin), app_name="guarded", configure_logs=False)
    made.door("/open", public=True)(dict)
    made.door("/closed", methods=["PUT"])(dict)
    made.refuse_other_methods()
    return made


@pytest.mark.parametrize(("setting", "scheme"), [("iam", "sigv4"), ("key", "api_key")])
def test_api_gateway_is_told_who_may_come_in(setting: str, scheme: str) -> None:
    paths = TemplatedSwaggerGenerator().generate_swagger(guarded(setting))["paths"]
    assert "security" not in paths["/open"]["get"]
    assert paths["/closed"]["put"]["security"] == [{scheme: []}]
    assert paths["/closed"]["x-amazon-apigateway-any-method"]["security"] == [{scheme: []}]


def test_without_a_setting_anybody_may_come_in_and_no_web_page() -> None:
    paths = TemplatedSwaggerGenerator().generate_swagger(guarded())["paths"]
    assert all("security" not in method for path in paths.values() for method in path.values())
    assert all("options" not in path for path in paths.values())
    assert (
        "options"
        in TemplatedSwaggerGenerator().generate_swagger(guarded(origin="https://a.test"))["paths"]["/closed"]
    )


def test_a_misspelt_setting_keeps_the_doors_from_being_made() -> None:
    with pytest.raises(Misconfigured, match="'kye' is not one of none, iam, key"):
        settings.doors({"PENSTOCK_AUTHORISATION": "kye"})


def test_every_route_is_told_in_the_description_which_keeps_the_standard(client: Client) -> None:
    document = ask(client, "GET", "/openapi.json").json_body
    described = {(path, method.upper()) for path, item in document["paths"].items() for method in item}
    routed = {
        (path, method)
        for path, methods in doors.app.routes.items()
        for method in methods
        if method in METHODS
    }
    assert {one for one in described if one[1] != "PARAMETERS"} == routed
    jsonschema.validate(document, json.loads((Path(__file__).parent / "openapi-3.1.schema.json").read_text()))
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_a_head_is_a_get_without_its_body() -> None:
    event = {
        "requestContext": {"resourcePath": "/healthz", "httpMethod": "HEAD", "requestId": "r", "path": "/healthz"},
        "headers": {}, "multiValueQueryStringParameters": None, "pathParameters": None, "stageVariables": None,
        "body": None, "isBase64Encoded": False,
    }  # fmt: skip
    answer = doors.app(event, None)
    assert (answer["statusCode"], answer["body"]) == (200, "")


def test_nothing_that_was_sent_is_ever_logged(
    client: Client, ports: FakePorts, capsys: pytest.CaptureFixture[str]
) -> None:
    crown(ports)
    uri = f"s3://{builders.BUCKET}/runs/churn-0001-x/evaluate/request.schema.json"
    ports.documents.write(uri, {"x-features": [{"name": "age", "role": "number"}], "x-classes": ["a", "b"]})
    for body in (
        {"age": "s3cret"},
        b'{"age": s3cret',
        {"s3cret": 1},
        {"instances": ["s3cret"]},
        {"age": 1, "x": "s3cret"},
    ):
        ask(client, "POST", "/projects/churn/predict", body, **{"X-Penstock-Caller": "s3cret"})
    ask(client, "POST", "/predict", b"age\ns3cret\n", **{"Content-Type": "text/csv"})
    ask(client, "POST", "/projects/churn/feedback", {"inference_id": "s3cret", "truth": "s3cret"})
    ask(client, "POST", "/projects/churn/batch", b"age\ns3cret\n", **{"Content-Type": "text/csv"})
    told = capsys.readouterr().out
    assert len(told.splitlines()) == 8
    assert "s3cret" not in told


@pytest.mark.parametrize(
    "trouble", [AwsTrouble("t", "arn:aws:iam::1:role/x", "Wait."), Misconfigured("t", "arn:aws", "Deploy.")]
)
def test_our_inside_is_for_the_log_and_not_for_callers(
    client: Client, ports: FakePorts, trouble: PipelineError
) -> None:
    crown(ports)
    ports.predictor.trouble = trouble
    assert b"arn:aws" not in ask(client, "POST", "/predict", {"age": 1}).body


def test_the_doors_beside_predict(client: Client, ports: FakePorts) -> None:
    crown(ports)
    link = ask(client, "POST", "/projects/churn/uploads", {"name": "a.csv", "size": 5})
    assert (link.status_code, link.json_body["key"]) == (201, "drop/churn/a.csv")
    batch = ask(client, "POST", "/projects/churn/batch", {"instances": [{"age": 1}]})
    assert (batch.status_code, batch.headers["Retry-After"]) == (202, "5")
    assert ask(client, "GET", batch.headers["Location"]).json_body["status"] == "accepted"
    assert ask(client, "GET", "/projects/churn/batch").status_code == 200
    ((name, key),) = ports.background.asked
    detail = {"bucket": {"name": builders.BUCKET}, "object": {"key": key}, "batch": name}
    event = {**builders.an_s3_event(), "detail-type": "Batch Accepted", "detail": detail}
    assert client.lambda_.invoke("score", event).payload["status"] == "scoring"
    truth = ask(client, "POST", "/projects/churn/feedback", {"inference_id": "i", "truth": 1})
    assert truth.status_code == 201
    assert ask(client, "GET", "/projects/churn/schema").status_code == 200
    assert ask(client, "GET", "/projects/churn/schema", **{"Content-Type": "text/html"}).status_code == 200
    assert ask(client, "PUT", "/projects/churn/endpoint", {}).status_code == 202
    assert ask(client, "DELETE", "/projects/churn/endpoint").status_code == 409  # it is being created
    ports.endpoints.settle("e1")
    assert ask(client, "DELETE", "/projects/churn/endpoint").json_body["removed"]
    assert ask(client, "POST", "/predict?probabilities=maybe", {"age": 1}).status_code == 400
