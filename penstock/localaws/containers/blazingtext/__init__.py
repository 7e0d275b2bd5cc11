"""The BlazingText image. This file is imported by the server: it must stay light."""

METRICS: dict[str, str] = {}  # name → regular expression, as the image's own metric definitions
NEEDS: tuple[str, ...] = ()  # modules that are not among Penstock's own dependencies
