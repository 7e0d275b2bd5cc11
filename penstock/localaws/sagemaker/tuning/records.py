"""A tuning as the store keeps it: one document for itself, one for each trial, one for what a warm start brought."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.store import Store
from penstock.localaws.sagemaker.tuning.children import objective_status
from penstock.localaws.sagemaker.tuning.state import OVER, Fate, Status, Trial, Tuning

KIND = "tuning"
_PRIOR = "tuning-prior"
Document = dict[str, Any]
_COUNTED = {
    Fate.COMPLETED: "Completed",
    Fate.RUNNING: "InProgress",
    Fate.LOST: "RetryableError",
    Fate.FAILED: "NonRetryableError",
    Fate.STOPPED: "Stopped",
}


@dataclass(frozen=True)
class Header:
    """What is kept of a tuning besides its trials. `seed` starts its random numbers."""

    name: str
    arn: str
    request: Document
    seed: str


def key(name: str) -> str:
    """Names of tunings are not case sensitive."""
    return name.lower()


def _trials(name: str) -> str:
    return f"tuning-trial/{key(name)}"


def document(header: Header, tuning: Tuning) -> Document:
    """The tuning's own document; `name`, `created`, `modified` and `status` are what lists look at."""
    state = dataclasses.asdict(dataclasses.replace(tuning, trials=()))
    return {**dataclasses.asdict(header), **state, "counters": counters(tuning)}


def counters(tuning: Tuning) -> Document:
    """TrainingJobStatusCounters and ObjectiveStatusCounters."""
    jobs = dict.fromkeys(_COUNTED.values(), 0)
    objectives = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    for trial in tuning.trials:
        jobs[_COUNTED[trial.fate]] += 1
        objectives[objective_status(trial)] += 1
    return {"TrainingJobStatusCounters": jobs, "ObjectiveStatusCounters": objectives}


def header_of(kept: Document) -> Header:
    """The header in a tuning's document."""
    return Header(**{field.name: kept[field.name] for field in dataclasses.fields(Header)})


def read(store: Store, name: str) -> tuple[Header, Tuning] | None:
    """The tuning of that name; None when there is none."""
    with store.transaction():
        kept = store.get(KIND, key(name))
        if kept is None:
            return None
        trials = sorted((trial(one) for _, one in store.all(_trials(name))), key=lambda one: one.number)
    fields = {field.name: kept[field.name] for field in dataclasses.fields(Tuning) if field.name != "trials"}
    fields["status"] = Status(fields["status"])
    return header_of(kept), Tuning(**fields, trials=tuple(trials))


def trial(kept: Document) -> Trial:
    """A trial from what `write` kept."""
    return Trial(**{**kept, "fate": Fate(kept["fate"])})


def write(store: Store, header: Header, before: Tuning, after: Tuning) -> None:
    """Keep what has changed."""
    with store.transaction():
        known = dict(enumerate(before.trials))
        for at, trial in enumerate(after.trials):
            if known.get(at) is not trial:
                store.put(_trials(header.name), f"{trial.number:05d}", dataclasses.asdict(trial))
        store.put(KIND, key(header.name), document(header, after))


def delete(store: Store, name: str) -> None:
    """Forget a tuning with all that belongs to it; its training jobs stay."""
    with store.transaction():
        for number, _ in store.all(_trials(name)):
            store.delete(_trials(name), number)
        store.delete(_PRIOR, key(name))
        store.delete(KIND, key(name))


def put_prior(store: Store, name: str, prior: Document) -> None:
    """Keep what a warm start took from its parents, which may be deleted."""
    store.put(_PRIOR, key(name), prior)


def prior(store: Store, name: str) -> Document | None:
    """What `put_prior` kept."""
    return store.get(_PRIOR, key(name))


def unfinished(plane: Plane) -> list[str]:
    """The names of the tunings that are not over."""
    return [kept["name"] for _, kept in plane.store.all(KIND) if kept["status"] not in OVER]
