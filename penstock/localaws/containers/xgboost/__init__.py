"""The XGBoost image in algorithm mode. This file is imported by the server: it must stay light."""

METRICS: dict[str, str] = {}  # name → regular expression, as the image's own metric definitions
