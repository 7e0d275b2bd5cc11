"""A dataset version: which uploads it is made of, and what its preparation says of each of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from chalicelib.domain.ledger import CLAIMED, IGNORED, PENDING, PREPARED, REFUSED, Move, ObjectRecord
from chalicelib.domain.upload import order

MOST_DRIFT = 20
"""Lines of drift a run's record and notice have room for; prepare.json has all."""
NOT_ITS_FAULT = "the run ended before it was prepared: {reason}"

_VERDICTS = {REFUSED: REFUSED, IGNORED: IGNORED}


def live(records: Iterable[ObjectRecord], run: str) -> list[ObjectRecord]:
    """The uploads a run's dataset is made of, oldest first: those it has claimed and those prepared before."""
    chosen = [r for r in records if r.verdict == PREPARED or (r.verdict == CLAIMED and r.run == run)]
    return sorted(chosen, key=lambda r: (order(r.sequencer), r.key))


def objects_document(project: str, run: str, records: Iterable[ObjectRecord]) -> dict[str, Any]:
    """runs/<run>/objects.json: what Prepare reads."""
    return {
        "project": project,
        "run": run,
        "objects": [
            {
                "bucket": r.bucket,
                "key": r.key,
                "version_id": r.version_id,
                "etag": r.etag,
                "sequencer": r.sequencer,
                "size": r.size,
                "claimed_now": r.verdict == CLAIMED,
            }
            for r in records
        ],
    }


def settlements(
    records: Iterable[ObjectRecord],
    run: str,
    prepared: Mapping[str, Any] | None,
    *,
    at: str,
    reason: str,
    blame: bool,
) -> list[Move]:
    """Give every upload a run touched its verdict.

    `prepared` is Prepare's own word (None if it left none). An upload it does not speak of goes back to waiting:
    one try poorer when the run failed (`blame`), unchanged when the run only lost its way.
    """
    refused = (prepared or {}).get("outcome") == REFUSED
    said = {(o["key"], o["etag"]): o for o in (prepared or {}).get("objects", [])}
    moves = []
    for record in live(records, run):
        word = said.get((record.key, record.etag))
        if refused and record.verdict == PREPARED and word and word["verdict"] == PREPARED:
            continue  # the run ended before it counted: what an earlier run counted stands
        after = _settled(record, word, run, at) if word else _returned(record, reason, at, blame=blame)
        if after is not None:
            moves.append(Move(record, after))
    return moves


def _settled(record: ObjectRecord, word: Mapping[str, Any], run: str, at: str) -> ObjectRecord | None:
    verdict = _VERDICTS.get(word["verdict"], PREPARED)
    rows = dict(word.get("rows") or {})
    if record.verdict == verdict and record.rows == rows:
        return None
    return record.becomes(verdict, at=at, reason=word.get("reason"), run=run, rows=rows)


def _returned(record: ObjectRecord, reason: str, at: str, *, blame: bool) -> ObjectRecord | None:
    if record.verdict != CLAIMED:
        return None
    words = NOT_ITS_FAULT.format(reason=reason)
    return record.becomes(PENDING, at=at, reason=words, run=None, tries=record.tries + int(blame))


def drift_lines(prepared: Mapping[str, Any] | None, keys: Collection[str]) -> list[str]:
    """What Prepare says is different about the columns of these uploads, one line a change."""
    found = [
        f"{one['key']}: column {change['column']!r} {change['kind']}: {change['hint']}"
        for one in (prepared or {}).get("objects", [])
        if one["key"] in keys
        for change in one.get("drift") or []
    ]
    more = [f"and {len(found) - MOST_DRIFT} more: see prepare.json"] if len(found) > MOST_DRIFT else []
    return found[:MOST_DRIFT] + more
