"""What both sides compute, so that an answer is made as the model was."""

from typing import Any

import numpy as np


def sizes(values: Any) -> Any:
    """Return the logarithms: areas and radii spread over decades."""
    return np.log1p(np.clip(values, 0, None))
