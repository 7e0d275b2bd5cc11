"""CloudFormation properties that MiniStack drops: a bucket's LifecycleConfiguration, a Glue job's ExecutionProperty.

Touches `ministack.services.cloudformation.provisioners._S3_BUCKET_CONFIGURATIONS` (its table of bucket properties that
are stored through the S3 API) and `_GLUE_JOB_DEFAULTS` (the Glue job properties it passes on). Checked on MiniStack
1.5.33. The rest of our foundation (bucket, table, roles, job, machine, topic, parameter, alarms, dashboard, schedule)
is created, updated and deleted by MiniStack as it is.
"""

from typing import Any

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from penstock.localaws.extension import pin

Rule = dict[str, Any]
_SAME = (
    "Status",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)


def install() -> None:
    """Extend both tables."""
    pin.require(__name__)
    lifecycle = ("LifecycleConfiguration", lifecycle_rules, _put, s3._delete_bucket_lifecycle)
    provisioners._S3_BUCKET_CONFIGURATIONS = (*provisioners._S3_BUCKET_CONFIGURATIONS, lifecycle)
    provisioners._GLUE_JOB_DEFAULTS["ExecutionProperty"] = {"MaxConcurrentRuns": 1}


def lifecycle_rules(configuration: dict[str, Any]) -> list[Rule]:
    """CloudFormation's rules as GetBucketLifecycleConfiguration names them."""
    return [_rule(rule) for rule in configuration.get("Rules") or []]


def _rule(given: dict[str, Any]) -> Rule:
    rule: Rule = {name: given[name] for name in _SAME if name in given}
    if "Id" in given:
        rule["ID"] = given["Id"]
    rule["Filter"] = _filter(given)
    expiration = {
        "Days": _whole(given.get("ExpirationInDays")),
        "Date": given.get("ExpirationDate"),
        "ExpiredObjectDeleteMarker": given.get("ExpiredObjectDeleteMarker"),
    }
    expiration = {name: value for name, value in expiration.items() if value is not None}
    if expiration:
        rule["Expiration"] = expiration
    transitions = given.get("Transitions") or ([given["Transition"]] if "Transition" in given else [])
    if transitions:
        rule["Transitions"] = [_transition(each) for each in transitions]
    return rule


def _filter(given: dict[str, Any]) -> dict[str, Any]:
    tags = given.get("TagFilters") or []
    if not tags:
        return {"Prefix": given.get("Prefix", "")}
    return {"And": {"Prefix": given.get("Prefix", ""), "Tags": tags}}


def _transition(given: dict[str, Any]) -> dict[str, Any]:
    found = {
        "Days": _whole(given.get("TransitionInDays")),
        "Date": given.get("TransitionDate"),
        "StorageClass": given.get("StorageClass"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _put(bucket: str, rules: list[Rule]) -> None:
    refused = s3._lifecycle_rules_error(rules)
    if refused:
        raise ValueError(f"AWS::S3::Bucket LifecycleConfiguration rejected: {refused[2]!r}")
    s3._bucket_lifecycle[bucket] = rules
