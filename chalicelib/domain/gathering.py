"""Whether a run should wait for more of a burst before it claims: many small files are to cost two runs, not twenty."""

from __future__ import annotations

FEW = 10
"""Fewer uploads than this are claimed at once: one file is not to wait for others."""
_SHORTEST, _LONGEST = 2, 20
_A_SECOND_FOR = 500
MOST_SECONDS = 900
"""A stream that never ends is cut after so long."""


def wait_seconds(waiting: int, before: int | None, waited: int) -> int:
    """Seconds to wait before looking again at what waits; 0: claim now.

    `before`: how many waited at the look before (None: this is the first), `waited`: seconds so far. A burst is over
    when a whole wait has brought nothing more. The more there is already, the dearer another run: the longer the wait.
    """
    if waiting < FEW or waited >= MOST_SECONDS or (before is not None and waiting <= before):
        return 0
    return min(_SHORTEST + waiting // _A_SECOND_FOR, _LONGEST)
