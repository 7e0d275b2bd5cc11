"""What jobs cost, as an estimate: seconds times the on-demand price of their instance.

The prices are those of SageMaker training and processing in US East (N. Virginia), from AWS's public price list as of
January 2025. Other regions differ by up to 60 %, and prices change: an estimate shows which run was dear, not the bill.
"""

from __future__ import annotations

REGION, AS_OF = "us-east-1", "2025-01"
_USD_PER_HOUR = {
    "ml.t3.medium": 0.05,
    "ml.t3.large": 0.10,
    "ml.t3.xlarge": 0.20,
    "ml.t3.2xlarge": 0.399,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.c5.18xlarge": 3.672,
    "ml.g4dn.xlarge": 0.736,
    "ml.g4dn.2xlarge": 0.94,
    "ml.g5.xlarge": 1.408,
    "ml.g5.2xlarge": 1.515,
    "ml.p3.2xlarge": 3.825,
}


def usd_per_second(instance_type: str) -> float | None:
    """The price of a running second, or None for an instance the table does not know."""
    hourly = _USD_PER_HOUR.get(instance_type)
    return None if hourly is None else hourly / 3600


def cost(instance_type: str, seconds: float | None) -> float | None:
    """The estimate for one instance in US dollars, to a hundredth of a cent; None when it cannot be told."""
    price = usd_per_second(instance_type)
    return None if price is None or seconds is None else round(price * seconds, 4)
