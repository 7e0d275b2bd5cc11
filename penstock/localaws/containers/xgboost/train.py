"""`python -m penstock.localaws.containers.xgboost.train`: a training job of the XGBoost image without a script.

Reads /opt/ml/input and leaves /opt/ml/model/xgboost-model or /opt/ml/output/failure (SAGEMAKER_BASE_DIR is /opt/ml).
"""

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.localaws.containers.xgboost import LEGACY, channels, engine, hyperparameters
from penstock.localaws.containers.xgboost.errors import UserError, reason

log = logging.getLogger(__name__)
CONTAINER = Path("/opt/ml")


@dataclass(frozen=True)
class Place:
    """The job's /opt/ml."""

    base: Path

    def config(self, name: str) -> dict[str, Any]:
        """A file of input/config; empty when there is none."""
        path = self.base / "input/config" / name
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return document

    def channel(self, name: str) -> Path:
        """The directory of a channel."""
        return self.base / "input/data" / name

    def checkpoints(self) -> Path | None:
        """Where checkpoints go, if the job has any."""
        config = self.config("checkpointconfig.json")
        if not config:
            return None
        path = Path(config.get("LocalPath") or "/opt/ml/checkpoints")
        return self.base / path.relative_to(CONTAINER) if path.is_relative_to(CONTAINER) else path


def run(place: Place) -> None:
    """Train as the job's configuration says; raises UserError or AlgorithmError."""
    legacy = os.environ.get("SAGEMAKER_TRAINING_MODULE") == LEGACY
    values = hyperparameters.validate(place.config("hyperparameters.json"), legacy=legacy)
    config = channels.validate(place.config("inputdataconfig.json"))
    if values.get("use_dask_gpu_training") == "true":
        raise UserError(
            "Some configurations unsuitable for Dask GPU training were found: there is no GPU here"
        )
    if not _trains_here(place.config("resourceconfig.json"), config):
        return
    _train(place, values, config)


def _train(place: Place, values: dict[str, Any], config: dict[str, dict[str, Any]]) -> None:
    engine.lean()
    from penstock.localaws.containers.xgboost import boosting, callbacks  # noqa: PLC0415 - slow, after the checks

    model_dir = place.base / "model"
    model_dir.mkdir(parents=True, exist_ok=True)
    if values.get("save_model_on_termination") == "true":
        callbacks.end_well_on_sigterm(model_dir)
    training = boosting.Training(values, model_dir, place.checkpoints())
    data = _data(place, values, config)
    log.info("Train matrix has %d rows and %d columns", data.train.num_row(), data.train.num_col())
    if data.validation is not None:
        log.info("Validation matrix has %d rows", data.validation.num_row())
    training.run(data, place.base / "output/data")


def _data(place: Place, values: dict[str, Any], config: dict[str, dict[str, Any]]) -> Any:
    from penstock.localaws.containers.xgboost import boosting, data  # noqa: PLC0415

    if config["train"].get("TrainingInputMode") == "Pipe":
        raise UserError(
            "Pipe mode is no longer supported. Please use Fast File mode (default) instead. "
            "Set input_mode='File' in your SageMaker Estimator or TrainingInput."
        )
    form, weights = channels.data_format(config["train"]["ContentType"]), values.get("csv_weights") == 1
    paths = [place.channel(name) for name in ("train", "validation") if name in config]
    found = [data.matrix([path], form, weights) for path in paths]
    for path, matrix in zip(paths, found, strict=True):
        if matrix is None:
            kind = "training" if path.name == "train" else "validation"
            raise UserError(f"No data in {kind} channel path {path}")
    everything = data.matrix(paths, form, weights) if "_kfold" in values else None
    return boosting.Data(found[0], found[1] if len(found) > 1 else None, everything)


def _trains_here(resources: dict[str, Any], config: dict[str, dict[str, Any]]) -> bool:
    """With several hosts the first one trains, when it has all the data; the others have nothing to do."""
    hosts = sorted(resources.get("hosts", []))
    if len(hosts) <= 1:
        return True
    if any(one.get("S3DistributionType") == "ShardedByS3Key" for one in config.values()):
        raise UserError(
            f"Distributed training on {len(hosts)} hosts is not there in the embedded AWS: with ShardedByS3Key no "
            "host has all the data. Use S3DataDistributionType FullyReplicated or InstanceCount 1."
        )
    if resources["current_host"] == hosts[0]:
        log.info("Host %s trains; the other %d have the same data.", hosts[0], len(hosts) - 1)
        return True
    log.info("Host %s has the same data as %s, which trains.", resources["current_host"], hosts[0])
    return False


def main() -> int:
    """Train; return the exit code."""
    logging.basicConfig(
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
        level=logging.INFO,
        stream=sys.stderr,
    )
    place = Place(Path(os.environ.get("SAGEMAKER_BASE_DIR") or CONTAINER))
    try:
        log.info("Running XGBoost Sagemaker in algorithm mode")
        run(place)
    except Exception as error:
        log.exception("Reporting training FAILURE")
        failure = place.base / "output/failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(reason(error), encoding="utf-8")
        return 1
    log.info("Reporting training SUCCESS")
    return 0


if __name__ == "__main__":
    sys.exit(main())
