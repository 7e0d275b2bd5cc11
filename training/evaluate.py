"""Judges a model on rows it has not seen: SageMaker processing. Writes scorecard.json, report.html, plots, probe.json
and request.schema.json.

Inputs below /opt/ml/processing: model/ and champion/ (model.tar.gz), test/, train/ and validation/ (Parquet), dataset/,
spec/. It leaves its figures and predictions as tables, too (scorecards/, predictions/).
Exit 1 and the exit message say what is wrong.
"""

import json
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from container import Container, ensure_requirements

PROBES = 5
METRIC_NAMESPACE = "Penstock"


def main() -> None:
    """Evaluate as the container says; end the process with code 1 on data errors."""
    container = Container()
    ensure_requirements("judge")
    from learners.errors import BadData  # noqa: PLC0415 - numpy may just have been installed

    try:
        with tempfile.TemporaryDirectory() as scratch:
            evaluate(container, Path(scratch))
    except BadData as error:
        container.fail("BadData", str(error))
    except Exception as error:  # noqa: BLE001 - whatever it was, the job must say it
        import traceback  # noqa: PLC0415

        traceback.print_exc()
        container.fail(type(error).__name__, str(error))


def evaluate(container: Container, scratch: Path) -> None:
    """Score, judge, draw and write; raise BadData."""
    from judge import lake, plots, report, scorecard  # noqa: PLC0415

    started = time.perf_counter()
    model = _load(_input(container, "model"), scratch / "model")
    if model.manifest["task"] == "embeddings":
        _evaluate_words(container, scratch, model)
        print(f"evaluated in {time.perf_counter() - started:.2f} s", flush=True)
        return
    evidence = _gather(container, scratch, model)
    card = scorecard.scorecard(evidence, container.project, container.run)
    figures = plots.draw(card, evidence.sample.answers, evidence.sample.scores, evidence.sample.learned)
    card["plots"] = [f"{figure.name}.png" for figure in figures]
    out = container.output_dir
    for figure in figures:
        (out / f"{figure.name}.png").write_bytes(figure.light)
    _write(out / "request.schema.json", _request_schema(model))
    _write(out / "probe.json", _probe(model, evidence.test, len(evidence.sample.answers)))
    (out / "report.html").write_text(report.page(card, figures, evidence.manifest), encoding="utf-8")
    name = f"{card['run'] or 'run'}.parquet"
    lake.scorecards(container.output("scorecards") / name, card)
    lake.predictions(
        container.output("predictions") / name, card["run"], evidence.test.get("_row"),
        evidence.sample.answers, evidence.sample.scores, evidence.classes, evidence.rules,
    )  # fmt: skip
    _write(out / "scorecard.json", card)  # last: whoever finds it finds all
    _say(card, report.headline(card))
    _put_metrics(container, card)
    print(f"evaluated in {time.perf_counter() - started:.2f} s", flush=True)


def _evaluate_words(container: Container, scratch: Path, model: Any) -> None:
    """The same of word vectors: judged by the neighbours of the words in the test texts, and by people's pairs."""
    import tables  # noqa: PLC0415
    from judge import lake, report, rules, wordcard, words  # noqa: PLC0415
    from learners.problem import rows_of  # noqa: PLC0415
    from learners.text_features import joined  # noqa: PLC0415

    dataset, spec = tables.read_dataset(_input(container, "dataset")), _spec(container)
    train, test = (rows_of(dataset, tables.read(_input(container, side)), side) for side in ("train", "test"))
    _check_same(model, dataset, len(test))
    names = [feature.name for feature in model.features]
    asked = words.questions(joined(test.columns, names, len(test)), spec.get("evaluate") or {})
    champion, notes = _champion_words(container, scratch)
    counts = {"train": len(train), "test": len(test)}
    card = wordcard.scorecard(model, champion, asked, rules.read(spec, None), counts)
    card |= {"project": container.project or card["project"], "run": container.run or card["run"]}
    card["warnings"] += notes
    figures, out = wordcard.draw(model.model), container.output_dir
    card["plots"] = [f"{figure.name}.png" for figure in figures]
    for figure in figures:
        (out / f"{figure.name}.png").write_bytes(figure.light)
    _write(out / "request.schema.json", _request_schema(model))
    _write(out / "probe.json", _probe_words(model))
    (out / "report.html").write_text(report.page(card, figures, model.manifest), encoding="utf-8")
    lake.scorecards(container.output("scorecards") / f"{card['run'] or 'run'}.parquet", card)
    container.output("predictions")  # nothing is predicted of a row, but the job has the output
    _write(out / "scorecard.json", card)  # last: whoever finds it finds all
    _say(card, report.headline(card))
    _put_metrics(container, card)


def _champion_words(container: Container, scratch: Path) -> tuple[Any, list[str]]:
    """Return the released model's vectors, or None with the reason as a warning."""
    place = container.processing("champion")
    if place is None or not any(place.iterdir()):
        return None, []
    from learners.errors import BadData  # noqa: PLC0415

    try:
        champion = _load(place, scratch / "champion")
        if champion.manifest["task"] != "embeddings":
            raise BadData("it answers another task.")
    except BadData as error:
        return None, [f"The champion could not be judged by these texts: {error}"]
    return champion.model, []


def _probe_words(model: Any) -> dict[str, Any]:
    """Return a request for common words and a strange one, and the answers inference.py gives to it."""
    import inference  # noqa: PLC0415

    body = {"instances": [*model.model.words[: PROBES - 1], "no word \u2260 of the texts"]}
    answer, _ = inference.output_fn(inference.predict_fn(inference.input_fn(json.dumps(body)), model))
    return {"content_type": "application/json", "body": body, "predictions": json.loads(answer)}


def _gather(container: Container, scratch: Path, model: Any) -> Any:
    """Return the evidence about the loaded model; raise BadData if an input is missing."""
    from judge import inquiry, rules  # noqa: PLC0415
    from judge.figures import Sample  # noqa: PLC0415
    from judge.scorecard import Evidence  # noqa: PLC0415

    asked = _asked(container, model)
    dataset, train, test = asked.dataset, asked.train, asked.test
    _check_same(model, dataset, len(test))
    scores = inquiry.scored(model, test, "model")
    wanted, notes = asked.cutoff(rules.read(_spec(container), model.classes))
    champion, more = _champion(container, scratch, test, model)
    sample = Sample(test.target, scores, train.target, champion)
    named = {column.name: column for column in dataset.columns if column.name != dataset.target}
    return Evidence(
        manifest=model.manifest,
        columns=list(named),
        categories=[name for name, column in named.items() if column.role == "category"],
        train=train.columns,
        test=test.columns,
        sample=sample,
        rules=wanted,
        leak_free=asked.leak_free(wanted, sample),
        permutation=asked.permutation(wanted, sample),
        notes=[*notes, *more],
    )


def _asked(container: Container, model: Any) -> Any:
    """Return the model with its rows; validation rows only if the job was given them."""
    import tables  # noqa: PLC0415
    from judge.inquiry import Inquiry  # noqa: PLC0415
    from learners.problem import rows_of  # noqa: PLC0415

    dataset = tables.read_dataset(_input(container, "dataset"))
    places = {name: _input(container, name) for name in ("train", "test", "dataset")}
    validation = container.processing("validation")
    if validation is not None and any(validation.rglob("*.parquet")):
        places["validation"] = validation
    rows = {name: rows_of(dataset, tables.read(places[name]), name) for name in places if name != "dataset"}
    paths = {name: str(place) for name, place in places.items()}
    return Inquiry(model, dataset, rows["train"], rows.get("validation"), rows["test"], paths)


def _spec(container: Container) -> dict[str, Any]:
    """Return the run's copy of the project's spec, an empty one if the job was not given it."""
    place = container.processing("spec")
    found = sorted(place.rglob("*.json")) if place is not None else []
    document: dict[str, Any] = json.loads(found[0].read_text(encoding="utf-8")) if found else {}
    return document


def _input(container: Container, name: str) -> Path:
    from learners.errors import BadData  # noqa: PLC0415

    place = container.processing(name)
    if place is None:
        raise BadData(f"The job needs the input {name}: name it in ProcessingInputs.")
    return place


def _check_same(model: Any, dataset: Any, rows: int) -> None:
    from learners.errors import BadData  # noqa: PLC0415

    if rows == 0:
        raise BadData("The test split has no rows: raise split.test or upload more labelled rows.")
    if model.classes != dataset.classes or model.manifest["target"] != dataset.target:
        raise BadData(
            f"The model answers {model.manifest['target']} {model.classes} "
            f"and the data {dataset.target} {dataset.classes}: evaluate it on the dataset version it was trained on."
        )


def _load(place: Path, target: Path) -> Any:
    """Unpack model.tar.gz below `place` (or take the directory as it is) and load the model; raise BadData."""
    import inference  # noqa: PLC0415
    from learners import gradient_boosting  # noqa: PLC0415
    from learners.errors import BadData  # noqa: PLC0415

    archive = place / "model.tar.gz"
    if archive.is_file():
        try:
            with tarfile.open(archive) as packed:
                packed.extractall(target, filter="data")  # refuses paths outside
        except (tarfile.TarError, OSError, EOFError) as error:
            raise BadData(f"model.tar.gz cannot be unpacked: {error}") from error
        place = target
    path = place / "manifest.json"
    learner = json.loads(path.read_text(encoding="utf-8")).get("learner") if path.is_file() else None
    ensure_requirements(str(learner))
    if learner == "gradient_boosting":
        gradient_boosting.engine(lean=True)
    return inference.model_fn(str(place))


def _champion(container: Container, scratch: Path, test: Any, model: Any) -> tuple[Any, list[str]]:
    """Return the champion's scores on the same rows, or None with the reason as a warning."""
    place = container.processing("champion")
    if place is None or not any(place.iterdir()):
        return None, []
    from learners.errors import BadData  # noqa: PLC0415

    try:
        from judge import inquiry  # noqa: PLC0415

        champion = _load(place, scratch / "champion")
        scores = inquiry.scored(champion, test, "champion")
        return _aligned(scores, champion.classes, model.classes), []
    except BadData as error:
        return None, [f"The champion could not be scored on these rows: {error}"]
    except Exception as error:  # noqa: BLE001 - a champion that cannot answer any more must not stop who replaces it
        told = f"{type(error).__name__}: {error}"
        return None, [f"The champion could not be scored on these rows: {told}"]


def _aligned(scores: Any, theirs: list[str] | None, ours: list[str] | None) -> Any:
    """Return scores in our class order; a class the champion does not know gets 0."""
    import numpy as np  # noqa: PLC0415
    from learners.errors import BadData  # noqa: PLC0415

    if (theirs is None) != (ours is None):
        raise BadData("it answers another task.")
    if theirs is None or ours is None or theirs == ours:
        return scores
    columns = [scores[:, theirs.index(name)] if name in theirs else np.zeros(len(scores)) for name in ours]
    return np.column_stack(columns)


def _probe(model: Any, test: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return a request of up to five test rows and the answers inference.py gives to it."""
    import inference  # noqa: PLC0415

    chosen = sorted({round(k * (rows - 1) / max(PROBES - 1, 1)) for k in range(PROBES)})
    names = [feature.name for feature in model.features if feature.name in test]
    body = {"instances": [{name: _plain(test[name][row]) for name in names} for row in chosen]}
    answer, _ = inference.output_fn(inference.predict_fn(inference.input_fn(json.dumps(body)), model))
    return {
        "content_type": "application/json",
        "body": body,
        "predictions": json.loads(answer)["predictions"],
    }


def _request_schema(model: Any) -> dict[str, Any]:
    """Return the JSON Schema of the model's requests, with what the front door checks beyond it: roles and classes."""
    from learners.schema import json_schema  # noqa: PLC0415

    title = f"Request to {model.manifest['project'] or model.manifest['learner']}"
    features = [feature.document() for feature in model.features]
    words = model.manifest["task"] == "embeddings"
    said = {
        **json_schema(model.features, title, words=words),
        "x-features": features,
        "x-classes": model.classes,
    }
    return {**said, "x-words": True} if words else said


def _plain(value: Any) -> Any:
    """Return a cell as JSON has it: missing is null, a date is ISO 8601."""
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT equal nothing
        return None
    if hasattr(value, "dtype"):
        return str(value) if value.dtype.kind == "M" else value.item()
    return value


def _write(path: Path, document: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def _say(card: Mapping[str, Any], headline: str) -> None:
    print(headline, flush=True)
    for name, value in card["metrics"].items():
        print(f"test:{name}={value:.6f}", flush=True)
    for name, value in ((card["leak_free"] or {}).get("metrics") or {}).items():
        print(f"leak_free:{name}={value:.6f}", flush=True)
    for name, value in ((card["leak_free"] or {}).get("random") or {}).items():
        print(f"random:{name}={value:.6f}", flush=True)
    for warning in card["warnings"]:
        print(f"warning: {warning}", flush=True)


def _put_metrics(container: Container, card: Mapping[str, Any]) -> None:
    """Put the metrics to CloudWatch if there are credentials. Failing to is said, and no reason to fail."""
    if not container.has_credentials:
        return
    dimensions = [
        {"Name": "Project", "Value": card["project"]},
        {"Name": "Stage", "Value": container.stage or "unknown"},
    ]
    told = {**card["metrics"]}
    told |= {
        f"leak_free_{name}": value for name, value in ((card["leak_free"] or {}).get("metrics") or {}).items()
    }
    data = [{"MetricName": name, "Dimensions": dimensions, "Value": value} for name, value in told.items()]
    try:
        import boto3  # noqa: PLC0415 - only where it can be used
        from botocore.config import Config  # noqa: PLC0415

        config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2})
        boto3.client("cloudwatch", region_name=container.region, config=config).put_metric_data(
            Namespace=METRIC_NAMESPACE, MetricData=data
        )
    except Exception as error:  # noqa: BLE001 - CloudWatch's troubles are not the model's
        print(f"warning: metrics not put to CloudWatch: {type(error).__name__}: {error}", flush=True)


if __name__ == "__main__":
    main()
