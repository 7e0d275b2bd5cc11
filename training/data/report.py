"""Beside a dataset version: profile.json, eda.json, and report.html, which shows both to a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from data import eda, page, profile, results, store
from data.explore import KEPT
from data.leaks import Finding, Guard
from data.results import Tally
from data.spec import Spec

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from data.engine import Engine


def guard(
    engine: Engine, rows: ir.Table, spec: Spec, names: Sequence[str], counted: Tally
) -> tuple[Finding, ...]:
    """Look for leaks, before anything is written. data/leaks.py: `enforce` is what the spec says to do about them."""
    return tuple(Guard(engine, rows, spec, names, counted.labelled).find())


def leave(
    engine: Engine, s3: Any, uri: str, look: tuple[ir.Table, Sequence[str]],
    told: tuple[Spec, int, Tally, Sequence[Finding]],
) -> Mapping[str, Any]:  # fmt: skip
    """Write the three documents.

    Args:
        engine: counts
        s3: client
        uri: where the version lies, ending in `/`
        look: all rows with their sides, and the dataset's columns
        told: the spec, the version, what was counted and what the leak guard found

    Returns:
        profile.json.
    """
    rows, names = look
    spec, version, counted, findings = told
    described = _profile(engine, rows, names, spec, counted)
    head = {"project": spec.project, "version": version, "classes": counted.classes or None}
    document = {**head, **described}
    store.write_json(s3, f"{uri}profile.json", document)
    looked = eda.Look(engine, spec, rows, counted, document).document(findings)
    store.write_json(s3, f"{uri}eda.json", looked)
    store.write_text(s3, f"{uri}report.html", page.page(looked), "text/html; charset=utf-8")
    return document


def _profile(
    engine: Engine, rows: ir.Table, names: Sequence[str], spec: Spec, counted: Tally
) -> dict[str, Any]:
    good = rows.filter(rows["_side"].isin(KEPT))
    exact = sum(counted.rows.values()) <= profile.EXACT_UP_TO
    measured = engine.rows(profile.measures(good, names, exact=exact))[0]
    top = [row for query in profile.tops(good, names, measured, exact=exact) for row in engine.rows(query)]
    return profile.document(measured, top, results.described(spec, names), exact=exact)
