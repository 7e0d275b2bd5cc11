"""Load on the front door: who calls is in users.py, what a run must keep in budget.py, how long it goes in profiles/.

    locust --config loadtest/profiles/workshop-42.conf --host URL

Speaks HTTP only and imports nothing of Penstock, so it loads whatever answers POST /predict in the workshop's way.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import budget
from users import Caller

__all__ = ["Caller", "budget"]
