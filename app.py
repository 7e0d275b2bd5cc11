"""Every door into the product, in the order data takes: an upload, the states of its run, the sweep, the callers."""

from __future__ import annotations

from typing import Any

from chalice.app import Response

from chalicelib import inbound, openapi, wiring
from chalicelib.doors import Http
from chalicelib.observability import MIDDLEWARE, note
from chalicelib.steps import batch as batches
from chalicelib.steps import claim as claiming
from chalicelib.steps import (
    define,
    erase,
    feedback,
    gate,
    ingest,
    look,
    notice,
    predict,
    rank,
    recur,
    register,
    release,
    report,
    score,
    share,
    sweep,
    upload,
    variants,
)

app = Http(doors=wiring.doors(), app_name="penstock", configure_logs=False)
for middleware, events in MIDDLEWARE:
    app.register_middleware(middleware, events)

# One rule for the buckets of every stage: the stage is not known when Chalice reads this. Ingest tells them apart.
UPLOADS = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created", "Object Deleted"],
    "detail": {"bucket": {"name": [{"prefix": "penstock-"}]}, "object": {"key": [{"prefix": "drop/"}]}},
}
# What each job leaves last: its stage has ended well.
LEFT = {
    "source": ["aws.s3"],
    "detail-type": ["Object Created"],
    "detail": {
        "bucket": {"name": [{"prefix": "penstock-"}]},
        "object": {"key": [{"wildcard": path} for path in notice.LEFT]},
    },
}
SCORES = {
    **UPLOADS,
    "detail-type": ["Object Created"],
    "detail": {
        "bucket": {"name": [{"prefix": "penstock-"}]},
        "object": {"key": [{"wildcard": "drop/*/score/*"}]},
    },
}
DATA = ["application/json", "text/csv"]


# ── Uploads ───────────────────────────────────────────────────────────────────────────────────────────────────────
@app.on_cw_event(UPLOADS, name="ingest")
def ingest_upload(event: Any) -> dict[str, Any]:
    """An object was created or deleted below drop/."""
    answer = ingest.run(ingest.Ingest(inbound.upload(event.to_dict())), wiring.ports())
    note(step="ingest", verdict=answer["outcome"], project=answer["project"], run=answer["run"])
    return answer


@app.on_cw_event(SCORES, name="score")
def score_rows(event: Any) -> dict[str, Any]:
    """A file to be scored was dropped, or the API accepted a batch."""
    answer = score.run(inbound.score(event.to_dict()), wiring.ports())
    note(step="score", verdict=answer["status"], rows=answer["rows"])
    return answer


# ── The states of a run: each takes the whole run document and answers its own part ──────────────────────────────────
@app.lambda_function(name="claim")
def claim_uploads(event: Any, _: Any) -> dict[str, Any]:
    """State Claim."""
    note(step="claim", project=event["project"], run=event["run"])
    return claiming.run(inbound.claim(event), wiring.ports())


@app.lambda_function(name="rank")
def rank_candidates(event: Any, _: Any) -> dict[str, Any]:
    """State Rank."""
    note(step="rank")
    return rank.run(rank.Rank(event), wiring.ports())


@app.lambda_function(name="gate")
def gate_model(event: Any, _: Any) -> dict[str, Any]:
    """State Gate."""
    note(step="gate")
    return gate.run(gate.Gate(event), wiring.ports())


@app.lambda_function(name="register")
def register_model(event: Any, _: Any) -> dict[str, Any]:
    """State Register."""
    note(step="register")
    return register.run(register.Register(event), wiring.ports())


@app.lambda_function(name="release")
def release_model(event: Any, _: Any) -> dict[str, Any]:
    """State Release."""
    note(step="release")
    return release.run(release.Release(event), wiring.ports())


@app.lambda_function(name="report")
def report_run(event: Any, _: Any) -> dict[str, Any]:
    """State Report."""
    note(step="report")
    return report.run(inbound.ended(event), wiring.ports())


@app.lambda_function(name="sweep")
def sweep_projects(event: Any, _: Any) -> dict[str, Any]:
    """The foundation's schedule, or a person: `{"project": ...}` sweeps one."""
    return sweep.run(sweep.Sweep((event or {}).get("project")), wiring.ports())


@app.lambda_function(name="recur")
def recur_project(event: Any, _: Any) -> dict[str, Any]:
    """A project's schedule, made by PUT /projects: `{"project": ..., "kind": "retrain"}`."""
    note(step="recur", project=event["project"], kind=event["kind"])
    return recur.run(recur.Recur(event["project"], event["kind"]), wiring.ports())


@app.on_cw_event(LEFT, name="notice")
def tell_of_stage(event: Any) -> dict[str, Any]:
    """A job has left the document it leaves last."""
    answer = notice.run(inbound.left(event.to_dict()), wiring.ports())
    note(step="notice", run=answer["run"], stage=answer["stage"], verdict=answer["outcome"])
    return answer


@app.lambda_function(name="share")
def move_endpoint(event: Any, _: Any) -> dict[str, Any]:
    """What the API is asked for and may not do itself: see the doors of /projects/{project}/endpoint."""
    note(step="share", project=event["project"])
    return share.run(inbound.share(event), wiring.ports())


# ── Callers ───────────────────────────────────────────────────────────────────────────────────────────────────────
@app.door("/healthz", public=True)
def healthz() -> dict[str, str]:
    """Whether the front door is open; asks nobody."""
    return {"status": "ok"}


@app.door("/projects")
def list_projects() -> dict[str, Any]:
    """Names of all projects."""
    return look.projects(wiring.ports())


@app.door("/projects/{project}")
def show_project(project: str) -> dict[str, Any]:
    """A project's spec and state."""
    return look.project(inbound.named(project), wiring.ports())


@app.door("/projects/{project}", methods=["PUT"])
def define_project(project: str) -> Response:
    """Create or replace a project."""
    command = define.Define(inbound.named(project), inbound.body(app.asked))
    answer = define.run(command, wiring.ports())
    return Response(answer, status_code=201 if answer["created"] else 200)


@app.door("/projects/{project}/uploads", methods=["POST"])
def link_upload(project: str) -> Response:
    """A link to PUT one file with, below drop/<project>/ or its score/."""
    command = upload.Upload(inbound.named(project), inbound.body(app.asked))
    return Response(upload.run(command, wiring.ports()), status_code=201)


@app.door("/projects/{project}/objects")
def list_objects(project: str) -> dict[str, Any]:
    """The verdicts of all uploads, a page at a time, or with ?key= the story of one."""
    return look.objects(inbound.uploads(app.asked, project), wiring.ports())


@app.door("/projects/{project}/runs")
def list_runs(project: str) -> dict[str, Any]:
    """A project's runs, newest first, a page at a time."""
    return look.runs(inbound.named(project), wiring.ports(), inbound.after(app.asked))


@app.door("/projects/{project}/runs", methods=["POST"])
def start_run(project: str) -> Response:
    """Start a run now, over all that was ever prepared and all that waits."""
    name = inbound.named(project)
    look.project(name, wiring.ports())
    return Response({"project": name, "run": wiring.ports().launcher.now(name)}, status_code=202)


@app.door("/runs/{run}")
def show_run(run: str) -> dict[str, Any]:
    """One run."""
    return look.run(inbound.named(run), wiring.ports())


@app.door("/projects/{project}/models")
def list_models(project: str) -> dict[str, Any]:
    """The leaderboard of a project's runs, and its model versions."""
    return look.models(inbound.named(project), wiring.ports())


@app.door("/projects/{project}/endpoint")
def show_endpoint(project: str) -> dict[str, Any]:
    """What a project's endpoint should serve and what it serves."""
    return look.endpoint(inbound.named(project), wiring.ports())


@app.door("/projects/{project}/erasures")
def list_erasures(project: str) -> dict[str, Any]:
    """A project's erasures, newest first."""
    return erase.listed(inbound.named(project), wiring.ports())


@app.door("/projects/{project}/erasures", methods=["POST"])
def erase_records(project: str) -> Response:
    """Take the rows of some keys out of everything the project keeps."""
    return Response(erase.run(inbound.erase(app.asked, project), wiring.ports()), status_code=202)


@app.door("/projects/{project}/erasures/{name}")
def show_erasure(project: str, name: str) -> dict[str, Any]:
    """How far an erasure is, and its receipt."""
    return erase.show(inbound.named(project), inbound.named(name), wiring.ports())


@app.door("/projects/{project}/records/{record}", methods=["DELETE"])
def erase_record(project: str, record: str) -> Response:
    """Take the rows of one key out of everything the project keeps."""
    return Response(erase.run(inbound.forget(project, record), wiring.ports()), status_code=202)


@app.door("/projects/{project}/endpoint", methods=["PUT"])
def share_endpoint(project: str) -> Response:
    """Let several models answer by weights, copy requests to a shadow, or bring the endpoint back."""
    wanted = inbound.body(app.asked)
    return Response(variants.put(inbound.named(project), wanted, wiring.ports()), status_code=202)


@app.door("/projects/{project}/endpoint", methods=["DELETE"])
def remove_endpoint(project: str) -> dict[str, Any]:
    """Take the endpoint away; its models stay."""
    return variants.remove(inbound.named(project), wiring.ports())


@app.door("/projects/{project}/schema")
def show_schema(project: str) -> dict[str, Any]:
    """JSON Schema of what the released model takes."""
    ports = wiring.ports()
    return dict(ports.schemas.of(ports.champions.of(inbound.named(project)).run).document)


@app.door("/projects/{project}/predict", methods=["POST"], content_types=DATA, step="predict")
def predict_with(project: str) -> Response:
    """Ask a project's model."""
    return inbound.prediction(predict.run(inbound.predict(app.asked, project), wiring.ports()))


@app.door("/predict", methods=["POST"], content_types=DATA, step="predict")
def predict_with_only() -> Response:
    """Ask the model of the stage's only project."""
    return inbound.prediction(predict.run(inbound.predict(app.asked, None), wiring.ports()))


@app.door("/projects/{project}/feedback", methods=["POST"])
def tell_truth(project: str) -> Response:
    """What was true of a prediction."""
    command = feedback.Feedback(inbound.named(project), inbound.body(app.asked))
    return Response(feedback.run(command, wiring.ports()), status_code=201)


@app.door("/projects/{project}/batch", methods=["POST"], content_types=DATA)
def accept_batch(project: str) -> Response:
    """Score a file, or the rows sent, by a transform job."""
    return inbound.accepted(batches.accept(inbound.batch(app.asked, project), wiring.ports()))


@app.door("/projects/{project}/batch")
def list_batches(project: str) -> dict[str, Any]:
    """A project's batches, a page at a time."""
    return batches.known(inbound.named(project), wiring.ports(), inbound.after(app.asked))


@app.door("/batch/{batch}")
def show_batch(batch: str) -> dict[str, Any]:
    """How far a batch is, and links to its answers and refused rows."""
    return batches.look(inbound.named(batch), wiring.ports())


@app.door("/openapi.json")
def describe_api() -> dict[str, Any]:
    """This API, described in OpenAPI 3.1."""
    return openapi.described(app)


app.refuse_other_methods()
