"""Claim and Report: what a run takes, and what becomes of it when the run ends well, badly or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

from chalicelib.domain.dataset import drift_lines
from chalicelib.domain.ledger import CLAIMED, PENDING, PREPARED, REFUSED
from chalicelib.domain.model_version import Champion
from chalicelib.errors import LeaseLost
from chalicelib.steps import claim, ingest
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "statemachine" / "contracts"
DIED = {
    "error": {
        "state": "Train",
        "Error": "States.TaskFailed",
        "Cause": json.dumps({"FailureReason": "no GPU"}),
    }
}


def enter(ports: FakePorts, **upload: Any) -> str:
    """Drop a file; answers the one execution that runs."""
    ingest.run(ingest.Ingest(builders.an_upload(**upload)), ports)
    (name,) = ports.workflow.running()
    return name


def verdicts(ports: FakePorts) -> dict[str, str]:
    return {record.key.rpartition("/")[2]: record.verdict for record in ports.ledger.objects("churn")}


def test_the_claim_document_keeps_its_contract(ports: FakePorts, machine: Machine) -> None:
    document = machine.claim(enter(ports))
    jsonschema.validate(document, json.loads((CONTRACTS / "run.schema.json").read_text()))
    objects = ports.documents.read(document["claim"]["objects_uri"])
    jsonschema.validate(objects, json.loads((CONTRACTS / "objects.schema.json").read_text()))


@pytest.mark.parametrize("champion", [False, True])
@pytest.mark.parametrize(
    ("service", "operation", "part"),
    [
        ("glue", "StartJobRun", "prepare"),
        ("sagemaker", "CreateTrainingJob", "train"),
        ("sagemaker", "CreateProcessingJob", "evaluate"),
    ],
)
def test_requests_are_what_the_apis_take(
    ports: FakePorts, machine: Machine, service: str, operation: str, part: str, champion: bool
) -> None:
    if champion:
        uri = "s3://b/models/churn/j/output/model.tar.gz"
        ports.ledger.put_champion(Champion("churn", "churn-0001-x", uri, "arn", 1, "e", "c", {}, builders.AT))
    request = machine.claim(enter(ports))["claim"][part]
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    assert model.input_shape is not None
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_claiming_again_for_a_retry_answers_the_same(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    assert machine.claim(name) == machine.claim(name)


def test_a_later_run_uses_what_earlier_ones_prepared(ports: FakePorts, machine: Machine) -> None:
    first = enter(ports, key="drop/churn/1.csv")
    machine.claim(first)
    machine.prepare(first)
    machine.report(first, **RELEASED)
    second = machine.claim(enter(ports, key="drop/churn/2.csv"))
    assert (second["claim"]["objects"], second["claim"]["claimed_now"]) == (2, 1)
    assert second["claim"]["version"] == 2


def test_who_does_not_hold_the_project_may_not_claim(ports: FakePorts) -> None:
    enter(ports)
    with pytest.raises(LeaseLost):
        claim.run(claim.Claim("churn", "churn-0099-zz", 1), ports)


def test_a_run_with_nothing_usable_ends_as_nothing_and_tells_nobody(
    ports: FakePorts, machine: Machine
) -> None:
    name = enter(ports)
    ingest.run(ingest.Ingest(builders.an_upload(kind="deleted", etag="")), ports)
    document = machine.claim(name)
    assert document["error"]["Error"] == "NothingWaiting"
    assert machine.report(name)["outcome"] == "nothing"
    assert ports.notices.sent == []
    assert ports.ledger.lease("churn") is None


def test_a_good_run_settles_tells_and_lets_go(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    machine.prepare(name)
    answer = machine.report(name, **RELEASED)
    assert (answer["outcome"], answer["settled"], answer["notice"]) == ("succeeded", 1, "sent")
    assert verdicts(ports) == {"rows.csv": PREPARED}
    (subject, text, attributes) = ports.notices.sent[0]
    assert subject.endswith("succeeded")
    assert "beats the baseline" in text
    assert attributes["state"] == "SUCCEEDED"
    assert ports.ledger.lease("churn") is None


def test_a_run_that_ended_is_a_row_of_the_table_of_runs(ports: FakePorts, machine: Machine) -> None:
    """One line of JSON with every column the catalog has, in types that SQL reads."""
    name = enter(ports)
    document = machine.claim(name)
    machine.prepare(name)
    machine.report(name, **RELEASED)
    text = ports.documents.texts[f"s3://{ports.settings.bucket}/lake/all_runs/churn/{document['run']}.json"]
    row = json.loads(text)
    assert "\n" not in text
    template = (ROOT / "statemachine" / "template.yaml").read_text()
    table = re.search(r"\n  RunsTable:\n(.*?)\n\n", template, re.DOTALL)
    assert table
    assert sorted(row) == sorted(re.findall(r"Name: (\w+), Type", table[1]))
    assert (row["project"], row["state"], row["version"]) == ("churn", "SUCCEEDED", 1)
    assert row["rows"]["train"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", row["ended_at"])


def test_a_table_of_runs_that_cannot_be_written_keeps_nobody_waiting(
    ports: FakePorts, machine: Machine
) -> None:
    name = enter(ports)
    machine.claim(name)
    machine.prepare(name)
    ports.documents.trouble = TROUBLE
    assert machine.report(name, **RELEASED)["outcome"] == "succeeded"
    assert ports.ledger.lease("churn") is None


def test_reporting_twice_tells_once(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    machine.prepare(name)
    machine.report(name, **RELEASED)
    records = ports.ledger.objects("churn")
    machine.report(name, **RELEASED)
    assert len(ports.notices.sent) == 1
    assert ports.ledger.objects("churn") == records


def test_uploads_of_a_run_that_died_wait_for_the_sweep_not_for_a_hot_loop(
    ports: FakePorts, machine: Machine
) -> None:
    name = enter(ports)
    machine.claim(name)
    answer = machine.report(name, **DIED)
    assert answer["outcome"] == "failed"
    assert "no GPU" in answer["reason"]
    assert answer["next"] is None
    (record,) = ports.ledger.objects("churn")
    assert (record.verdict, record.tries) == (PENDING, 1)
    assert "no GPU" in str(record.reason)


def test_uploads_that_came_meanwhile_are_run_though_the_run_died(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    enter(ports, key="drop/churn/late.csv")
    assert machine.report(name, **DIED)["next"] is not None


def test_after_three_failures_an_upload_waits_for_a_person(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    for _ in range(3):
        machine.claim(name)
        machine.report(name, **DIED)
        ports.launcher.when_waiting("churn", retries=True)
        name = next(iter(ports.workflow.running()), "")
    assert name == ""
    assert ports.launcher.when_waiting("churn", retries=True) is None
    run = ports.launcher.now("churn")
    assert machine.claim(f"{run}-1")["claim"]["claimed_now"] == 1


def test_data_that_prepare_refuses_is_refused_with_its_reason(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    document = machine.claim(name)
    word = {
        "key": "drop/churn/rows.csv",
        "etag": "e1",
        "verdict": "refused",
        "reason": "no column churned",
        "rows": {},
        "drift": [
            {"kind": "missing", "column": "churned", "was": "label", "is": None, "hint": "add the column"}
        ],
    }
    refused = builders.prepared("churn", document["run"], [], outcome="refused", reason="nothing usable")
    refused["objects"] = [word]
    ports.documents.write(document["claim"]["prepare_uri"], refused)
    error = {"state": "Prepare", "Error": "States.TaskFailed", "Cause": "{}"}
    answer = machine.report(name, error=error)
    assert (answer["outcome"], "nothing usable" in answer["reason"]) == ("refused", True)
    (record,) = ports.ledger.objects("churn")
    assert (record.verdict, record.reason) == (REFUSED, "no column churned")
    assert "drop/churn/rows.csv: column 'churned' missing: add the column" in ports.notices.sent[0][1]


def test_drift_is_told_of_the_uploads_of_this_run_and_not_without_end() -> None:
    change = {"kind": "added", "column": "c", "was": None, "is": "ignore", "hint": "name it"}
    objects = [{"key": key, "drift": [change] * 30} for key in ("old", "new")]
    lines = drift_lines({"objects": objects}, {"new"})
    assert lines == ["new: column 'c' added: name it"] * 20 + ["and 10 more: see prepare.json"]
    assert drift_lines(None, {"new"}) == []


def test_a_refused_model_is_reported_as_refused(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    machine.prepare(name)
    answer = machine.report(name, gate={"passed": False, "reason": "macro_f1 0.2 is below 0.7"})
    assert (answer["outcome"], "0.2" in answer["reason"]) == ("refused", True)
    assert ports.ledger.runs("churn")[0].state == "REFUSED"


def test_a_topic_that_is_away_does_not_keep_the_lease(ports: FakePorts, machine: Machine) -> None:
    ports.notices.trouble = TROUBLE
    name = enter(ports)
    machine.claim(name)
    assert machine.report(name, **DIED)["notice"].startswith("not sent")
    assert ports.ledger.lease("churn") is None


def test_the_report_of_an_attempt_that_was_replaced_leaves_its_successor_alone(
    ports: FakePorts, machine: Machine
) -> None:
    name = enter(ports)
    machine.claim(name)
    lease = ports.ledger.lease("churn")
    assert lease is not None
    ports.launcher.again(lease)
    machine.report(name, **DIED)
    assert verdicts(ports) == {"rows.csv": CLAIMED}
    assert ports.ledger.lease("churn") is not None


def test_a_claim_that_fails_is_not_tried_again_at_once(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    error = {"state": "Claim", "Error": "Misconfigured", "Cause": "{}"}
    assert machine.report(name, error=error)["next"] is None
    assert len(ports.ledger.waiting("churn")) == 1
