"""getResolvedOptions as Glue documents it: named arguments are required, reserved ones are always there."""

import argparse
from typing import Any


class GlueArgumentError(Exception):
    """An argument the script asks for was not given."""


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, Any]:  # noqa: N802 (Glue's own name)
    """Values of `--option value` pairs (argv with the script first), by option name without dashes.

    Raises GlueArgumentError naming what is missing. Source: AWS Glue guide, "Accessing parameters using
    getResolvedOptions".
    """
    parser = argparse.ArgumentParser(allow_abbrev=False, add_help=False, exit_on_error=False)
    for option in options:
        parser.add_argument(f"--{option}", dest=option)
    found = vars(parser.parse_known_args(args[1:])[0])
    missing = [option for option in options if found[option] is None]
    if missing:
        raise GlueArgumentError(
            f"the following arguments are required: {', '.join(f'--{m}' for m in missing)}"
        )
    return found
