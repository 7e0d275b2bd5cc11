"""`make demo`: a real file becomes a model behind a REST API on this machine, and its first questions are answered.

Everything it does can be done with the other words of the command line; it only does them in a row and keeps time.
"""

import hashlib
import json
import shlex
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas
from rich.console import Console
from sklearn.datasets import load_breast_cancer

from penstock import deploy
from penstock.client import stage, uploads
from penstock.client.api import Api, of
from penstock.client.runs import Runs
from penstock.client.view import RunView, Steps, ending
from penstock.deploy import Deployed, DeployError
from penstock.errors import PenstockError
from penstock.infer.render import render
from penstock.infer.spec import infer
from penstock.localaws import control

PROJECT = "breast-cancer"
HELD_BACK = 0  # a malignant case; the model never sees this row
_DEPLOYED_FROM = (
    "app.py",
    "requirements.txt",
    "chalicelib",
    "training",
    "statemachine",
    ".chalice/config.json",
)


@dataclass(frozen=True)
class Question:
    """A request to the API that curl can send as well."""

    body: Path
    content_type: str

    def curl(self, url: str) -> str:
        """The command line that sends exactly this."""
        data = shlex.quote(f"@{self.body}")
        return f"curl -sS {shlex.quote(url)} -H 'Content-Type: {self.content_type}' --data-binary {data}"


class Demo:
    """One showing, from the checkout at `root`; what it leaves is below .penstock/ only."""

    def __init__(self, root: Path, console: Console) -> None:
        self.root = root
        self.console = console
        self.folder = root / ".penstock" / "demo"
        self.began = time.monotonic()
        self.timeline: dict[str, Any] = {"started_at": datetime.now(UTC).isoformat()}
        self.built = False  # whether this showing made the model, or found it made

    def run(self) -> dict[str, Any]:
        """Show it all; returns the timeline in seconds. Raises PenstockError where it stops."""
        self._install_seconds()
        self._say("1. An AWS of your own")
        self._timed("up", self._up)
        self._say("2. Deploy: CloudFormation foundation, job code, Chalice app")
        deployed = self._timed("deploy", self._deploy)
        runs = Runs(deployed)
        self._say("3. A real file becomes a model")
        self._timed("pipeline", lambda: self._learn(runs))
        self._say("4. Ask it")
        self._ask(runs.api)
        self._keep()
        self._next()
        return self.timeline

    def _say(self, text: str) -> None:
        self.console.print(f"\n[bold]{text}[/]")

    def _tell(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)

    def _timed(self, name: str, work: Any) -> Any:
        started = time.monotonic()
        result = work()
        self.timeline[name] = round(time.monotonic() - started, 3)
        return result

    def _install_seconds(self) -> None:
        """How long `make` took to fill the virtualenv, if it said."""
        noted = self.root / ".venv" / "install-seconds"
        if noted.is_file():
            self.timeline["install"] = float(noted.read_text().strip() or 0)

    def _up(self) -> None:
        running = control.status(self.root)
        if running is None:
            running = control.up(self.root)
            self._tell(f"Started at {running.endpoint_url} (process {running.pid}).")
        else:
            self._tell(f"Already runs at {running.endpoint_url} (process {running.pid}).")
        stage.point_at(running.endpoint_url)

    def _deploy(self) -> Deployed:
        """Deploy, unless this very code is deployed already."""
        noted, digest = self.root / ".penstock" / "demo" / "deployed", fingerprint(self.root)
        if noted.is_file() and noted.read_text() == digest:
            try:
                found = deploy.locate(stage.LOCAL, self.root)
                Api(found.api_url).get("/healthz")
            except DeployError:
                pass  # destroyed meanwhile
            else:
                self._tell(f"This code is deployed already: {found.api_url}")
                return found
        with Steps(self.console) as steps:
            found = deploy.deploy(stage.LOCAL, self.root, steps.progress)
        self.timeline["deploy_parts"] = steps.seconds
        self.folder.mkdir(parents=True, exist_ok=True)
        noted.write_text(digest)
        self._tell(f"The API answers at {found.api_url}")
        return found

    def _learn(self, runs: Runs) -> None:
        file = write_data(self.folder)
        guess = infer(file, PROJECT)
        spec = self.folder / "project.yaml"
        spec.write_text(render(guess), encoding="utf-8")
        uploads.define(runs.api, guess.document)
        self._tell(
            f"{file.name}: {guess.sample.total_rows} tumours, {len(guess.columns) - 1} measurements each."
        )
        self._tell(
            f"Guessed by penstock init: {guess.document['task']} of {guess.target.column!r}. See {spec}"
        )
        run = self._run_of(runs, file)
        last = None
        with RunView(self.console, run) as view:
            for last in runs.follow(run):
                view.update(last)
        if last is None or last.record["state"] != "SUCCEEDED":
            reason = last.record["reason"] if last else "it was not seen"
            raise PenstockError(f"run {run}", str(reason), "See `penstock logs` and docs/operations.md.")
        self.timeline["states"] = ending(self.console, runs, last, self.root)["seconds"]

    def _run_of(self, runs: Runs, file: Path) -> str:
        """Drop the file and say which run takes it; the same content again is left alone, and its run shown."""
        key = f"drop/{PROJECT}/{file.name}"
        there = runs.api.objects(PROJECT, key)
        etag = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        if there and there[-1]["etag"] == etag and there[-1]["run"] and self._answers(runs.api):
            self._tell(
                "The same file was dropped before and its model answers: nothing to do. Its run again:"
            )
            return str(there[-1]["run"])
        self.built = True
        dropped = uploads.send(runs.deployed.bucket, PROJECT, file, runs.api)
        self._tell(f"Dropped as {dropped.uri}")
        run = runs.taking(PROJECT, dropped.key, dropped.known)
        if run is None:
            raise PenstockError(dropped.uri, "no run took it", f"Ask why: penstock why {dropped.uri}")
        return run

    def _answers(self, api: Api) -> bool:
        return bool(api.get(of(PROJECT))["champion"])

    def _ask(self, api: Api) -> None:
        only = api.get("/projects")["projects"] == [PROJECT]
        path = "/predict" if only else f"{of(PROJECT)}/predict"
        for number, question in enumerate(questions(self.folder)):
            self._tell(f"$ {question.curl(api.url + path)}")
            answer = api.send(
                "POST", path, question.body.read_bytes(), {"Content-Type": question.content_type}
            )
            if number == 0:
                self.timeline["first_prediction"] = round(time.monotonic() - self.began, 3)
            self._tell(answer.body.decode().rstrip())
        self._tell("The tumour is one the model has never seen. It was malignant.")

    def _keep(self) -> None:
        self.timeline["total"] = round(time.monotonic() - self.began, 3)
        path = self.root / ".penstock" / "timeline.json"
        said = f"\nFirst prediction {self.timeline['first_prediction']:.1f} s after the start."
        if self.built or not path.is_file():
            path.write_text(json.dumps(self.timeline, indent=1) + "\n")
            self._tell(f"{said} Timeline: {path}")
        else:
            self._tell(f"{said} The timeline of the showing that made the model is in {path}")

    def _next(self) -> None:
        self._say("Next, in this folder")
        for what, command in (
            ("Your own file", "init data.csv, then penstock drop data.csv --watch"),
            ("What became of it", f"why s3://…/drop/{PROJECT}/breast_cancer.csv"),
            ("All runs", "runs"),
            ("Any AWS tool", 'env, as eval "$(penstock env)"'),
            ("Stop, keep all", "down"),
            ("Remove all", "destroy"),
        ):
            self._tell(f"  {what:<18} penstock {command}")
        self._tell("  How it works       docs/walkthrough.md")
        self._tell("`penstock` is .venv/bin/penstock; `. .venv/bin/activate` puts it on your path.")


def fingerprint(root: Path) -> str:
    """A digest of everything a deployment is made from."""
    digest = hashlib.sha256()
    for part in _DEPLOYED_FROM:
        path = root / part
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root).as_posix()}\0".encode())
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def write_data(folder: Path) -> Path:
    """scikit-learn's breast-cancer set as a CSV, less one row, and that row as two request bodies."""
    folder.mkdir(parents=True, exist_ok=True)
    found = load_breast_cancer(as_frame=True)
    table: pandas.DataFrame = found.data.assign(diagnosis=[found.target_names[code] for code in found.target])
    path = folder / "breast_cancer.csv"
    table.drop(index=HELD_BACK).to_csv(path, index=False)
    held = table.loc[[HELD_BACK]].drop(columns="diagnosis")
    held.to_csv(folder / "one.csv", index=False)
    record = {name: float(value) for name, value in held.iloc[0].items()}
    (folder / "one.json").write_text(json.dumps({"instances": [record]}))
    return path


def questions(folder: Path) -> list[Question]:
    """The held-back row as JSON and as CSV."""
    return [Question(folder / "one.json", "application/json"), Question(folder / "one.csv", "text/csv")]
