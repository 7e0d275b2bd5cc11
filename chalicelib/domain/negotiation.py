"""Content types: what a request is sent as, and what of ours the caller takes (RFC 9110, 12.5.1)."""

from __future__ import annotations

from chalicelib.errors import BadRequest

JSON, CSV, JSON_LINES = "application/json", "text/csv", "application/jsonlines"


def sent_as(content_type: str) -> str:
    """The request's type, JSON where none is named. Raises 415 for what is neither JSON nor CSV."""
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in {JSON, CSV}:
        raise BadRequest(
            "Content-Type", f"{kind[:100]} is not supported", f"Send {JSON} or {CSV}.", status=415
        )
    return kind


def wanted(accept: str) -> str:
    """JSON or CSV, whichever the caller likes better; JSON where both are liked alike. Raises 406 for neither."""
    likes = [_like(part) for part in accept.split(",") if part.strip()]
    if not likes:
        return JSON
    best = {kind: _quality(kind, likes) for kind in (JSON, CSV)}
    chosen = max(best, key=lambda kind: best[kind])
    if best[chosen] <= 0:
        raise BadRequest(
            "Accept", f"{accept[:100]} is not what we answer", f"Accept {JSON} or {CSV}.", status=406
        )
    return chosen


def _like(part: str) -> tuple[str, float]:
    kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
    given = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return kind, min(max(float(given), 0.0), 1.0)
    except ValueError:
        return kind, 0.0


def _quality(kind: str, likes: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that names the type; 0 when none does."""
    for wide in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        found = [quality for name, quality in likes if name == wide]
        if found:
            return max(found)
    return 0.0
