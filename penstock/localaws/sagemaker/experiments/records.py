"""Experiments, trials and components as they are kept: found, created, changed, listed, in AWS's words."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Plane

Params = dict[str, Any]
_TIMES = {"CreatedAfter": "CreationTimeAfter", "CreatedBefore": "CreationTimeBefore"}
_MOMENTS = ("StartTime", "EndTime")


@dataclass(frozen=True)
class Entity:
    """One kind of thing: its word in operations, where it is kept and what its ARN says."""

    noun: str
    kind: str

    def arn(self, plane: Plane, name: str) -> str:
        """The thing's address."""
        return arn(plane.place, self.kind, name)

    def find(self, plane: Plane, name: str) -> Params:
        """What is kept of it; raises ServiceError when there is none of that name."""
        found = plane.store.get(self.kind, name)
        if found is None:
            raise ServiceError("ResourceNotFound", f"{self.noun} '{name}' does not exist.")
        return found

    def create(self, plane: Plane, params: Params) -> Params:
        """Keep a new one; raises ServiceError when the name is taken. Names are unique whatever their case."""
        name, now = params[f"{self.noun}Name"], plane.clock.now()
        document = {key: value for key, value in params.items() if key != "Tags"}
        taken = any(name.lower() == other.lower() for other, _ in plane.store.all(self.kind))
        if taken or not plane.store.create(self.kind, name, {**document, "created": now, "modified": now}):
            raise ServiceError(
                "ValidationException",
                f"{self.noun} names must be unique within an AWS account and region. "
                f"{self.noun} with name ({name}) already exists.",
            )
        tags.put(plane, self.arn(plane, name), params.get("Tags"))
        return {f"{self.noun}Arn": self.arn(plane, name)}

    def change(self, plane: Plane, name: str, change: Callable[[Params], Params]) -> Params:
        """Replace what is kept by `change` of it; raises ServiceError."""
        self.find(plane, name)
        plane.store.update(
            self.kind, name, lambda document: {**change(document), "modified": plane.clock.now()}
        )
        return {f"{self.noun}Arn": self.arn(plane, name)}

    def delete(self, plane: Plane, name: str) -> Params:
        """Forget it and its tags; raises ServiceError when there is none."""
        self.find(plane, name)
        plane.store.delete(self.kind, name)
        tags.drop(plane, self.arn(plane, name))
        return {f"{self.noun}Arn": self.arn(plane, name)}

    def shown(self, plane: Plane, document: Params) -> Params:
        """As Describe shows it."""
        name = document[f"{self.noun}Name"]
        own = {key: value for key, value in document.items() if key not in ("created", "modified", "trials")}
        own |= {key: moment(own[key]) for key in _MOMENTS if key in own}
        return {
            "DisplayName": name,
            **own,
            f"{self.noun}Arn": self.arn(plane, name),
            "CreationTime": moment(document["created"]),
            "LastModifiedTime": moment(document["modified"]),
        }

    def page(
        self, plane: Plane, params: Params, documents: Iterable[Params], members: tuple[str, ...]
    ) -> Params:
        """One page of summaries with those members, the newest first unless asked otherwise."""
        wanted = {_TIMES.get(key, key): value for key, value in params.items()}
        named = [{**document, "name": document[f"{self.noun}Name"], "status": None} for document in documents]

        def summary(record: Params) -> Params:
            document = {key: value for key, value in record.items() if key not in ("name", "status")}
            shown = self.shown(plane, document)
            every = (f"{self.noun}Name", f"{self.noun}Arn", "DisplayName", "CreationTime", "LastModifiedTime")
            return {key: shown[key] for key in (*every, *members) if key in shown}

        return listing.page(wanted, named, summary, f"{self.noun}Summaries")

    def all(self, plane: Plane) -> list[Params]:
        """Every one of its kind."""
        return [document for _, document in plane.store.all(self.kind)]


EXPERIMENT = Entity("Experiment", "experiment")
TRIAL = Entity("Trial", "experiment-trial")
COMPONENT = Entity("TrialComponent", "experiment-trial-component")
