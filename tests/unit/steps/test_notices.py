"""One message for each stage of a run: readable, to be filtered, never twice, and never in the way."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.notices import RELEASE, left_by, of_document
from chalicelib.domain.upload import Upload
from chalicelib.steps import ingest, notice
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine

RUN = "churn-0007-t4k2p9"


def left(ports: FakePorts, key: str, size: int = 1234) -> dict[str, Any]:
    """A job leaves an object."""
    bucket = ports.settings.bucket
    upload = Upload("created", bucket, key, "v", "e", "1", size, builders.AT)
    return notice.run(notice.Notice(upload), ports)


def ended(ports: FakePorts) -> None:
    """Prepare and Evaluate have written what they write."""
    root = f"s3://{ports.settings.bucket}/runs/{RUN}"
    objects = [{"key": f"drop/churn/{n}.csv", "etag": "e"} for n in range(3)]
    words = builders.prepared("churn", RUN, objects)
    words["objects"][2]["verdict"] = "refused"
    ports.documents.write(f"{root}/prepare.json", {**words, "report_uri": "s3://b/lake/report.html"})
    scorecard = {"metrics": {"macro_f1": 0.91234, "auc": 0.5}, "rows": {"train": 28, "test": 8}}
    ports.documents.write(f"{root}/evaluate/scorecard.json", scorecard)


KEYS = {
    "prepare": f"runs/{RUN}/prepare.json",
    "train": f"models/churn/penstock-test-{RUN}-1-train/output/model.tar.gz",
    "evaluate": f"runs/{RUN}/evaluate/scorecard.json",
}


def test_each_stage_is_told_of_once_with_counts_and_a_link(ports: FakePorts) -> None:
    ended(ports)
    for stage, key in KEYS.items():
        assert left(ports, key) == {"outcome": "sent", "stage": stage, "run": RUN}
        assert left(ports, key)["outcome"] == "told before"
    subjects = [subject for subject, _, _ in ports.notices.sent]
    assert subjects == [
        f"Penstock: {RUN} {word}" for word in ("prepare prepared", "train trained", "evaluate judged")
    ]
    texts = dict(zip(KEYS, [text for _, text, _ in ports.notices.sent], strict=True))
    assert "Objects: prepared 2, refused 1" in texts["prepare"]
    assert "Rows: train 28, validation 4, test 8" in texts["prepare"]
    assert "s3://b/lake/report.html" in texts["prepare"]
    assert "Rows: train 28, validation 4" in texts["train"]
    assert KEYS["train"] in texts["train"]
    assert "macro_f1: 0.9123" in texts["evaluate"]
    assert f"runs/{RUN}/evaluate/report.html" in texts["evaluate"]
    for (_, text, attributes), stage in zip(ports.notices.sent, KEYS, strict=True):
        assert (attributes["project"], attributes["run"], attributes["stage"]) == ("churn", RUN, stage)
        assert f"penstock watch {RUN}" in text


@pytest.mark.parametrize(
    "key",
    [
        "runs/x/prepare.json",
        f"runs/{RUN}/objects.json",
        f"runs/{RUN}/evaluate/nested/scorecard.json",
        f"models/churn/penstock-test-{RUN}-1-tune-003/output/model.tar.gz",
        f"models/churn/penstock-other-{RUN}-1-train/output/model.tar.gz",
        f"drop/churn/runs/{RUN}/prepare.json",
    ],
)
def test_what_no_job_leaves_last_is_passed_over(ports: FakePorts, key: str) -> None:
    assert left_by(key, ports.settings.stage) is None
    assert left(ports, key)["outcome"] == "not ours"
    assert ports.notices.sent == []


def test_another_stages_bucket_is_left_alone(ports: FakePorts) -> None:
    ended(ports)
    upload = Upload("created", "penstock-other", KEYS["prepare"], "v", "e", "1", 1, builders.AT)
    assert notice.run(notice.Notice(upload), ports)["outcome"] == "not ours"


def test_a_document_that_is_gone_again_is_not_told_of(ports: FakePorts) -> None:
    assert left(ports, KEYS["evaluate"])["outcome"] == "gone"
    ended(ports)
    assert left(ports, KEYS["evaluate"])["outcome"] == "sent"


@pytest.mark.parametrize(("said", "stages", "ends"), [("all", 1, 1), ("ends", 0, 1), ("none", 0, 0)])
def test_a_project_says_what_it_wants_to_hear(
    ports: FakePorts, machine: Machine, said: str, stages: int, ends: int
) -> None:
    ports.ledger.put_project(builders.a_spec(notices=said), builders.AT)
    ended(ports)
    left(ports, KEYS["prepare"])
    assert len(ports.notices.sent) == stages
    ingest.run(ingest.Ingest(builders.an_upload()), ports)
    (name,) = ports.workflow.running()
    machine.claim(name)
    machine.prepare(name)
    machine.report(name, **RELEASED)
    assert len(ports.notices.sent) == stages + ends
    if ends:
        assert ports.notices.sent[-1][2]["stage"] == "report"
        assert ports.notices.sent[-1][2]["outcome"] == "succeeded"


def test_a_topic_that_is_away_is_in_nobodys_way(ports: FakePorts) -> None:
    ports.notices.trouble = TROUBLE
    told = ports.teller(of_document({"project": "churn", "run": RUN}, RELEASE, "released", "It answers"))
    assert told.startswith("not sent: ")
