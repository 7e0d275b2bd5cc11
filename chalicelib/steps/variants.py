"""Variants: have function Share move a project's endpoint; the function that faces the world may not do it itself."""

from __future__ import annotations

from typing import Any

from chalicelib.ports import Ports


def put(project: str, wanted: Any, ports: Ports) -> dict[str, Any]:
    """Answers what the endpoint goes to now. Raises what Share refuses with."""
    return _ask({"project": project, "wanted": wanted}, ports)


def remove(project: str, ports: Ports) -> dict[str, Any]:
    """Take the endpoint away; its models and configurations stay, and `put` brings it back."""
    return _ask({"project": project, "remove": True}, ports)


def _ask(document: dict[str, Any], ports: Ports) -> dict[str, Any]:
    try:
        return ports.functions.call("share", document)
    finally:
        ports.champions.forget(document["project"])  # also when it failed halfway
