"""getResolvedOptions, as AWS documents it. A module of its own in a job's process: imports nothing of ours."""

import argparse


class GlueArgumentError(Exception):
    """An option that was asked for is not among the arguments."""


_RESERVED = ("JOB_NAME", "JOB_RUN_ID", "TempDir")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise GlueArgumentError(message)


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, str]:  # noqa: N802  AWS's name
    """The values of `options` (names without dashes) in `args` (sys.argv), and of the reserved ones that are there.

    Both `--key value` and `--key=value` are read; other arguments are left alone. Raises GlueArgumentError when one of
    `options` is missing.
    """
    parser = _Parser(allow_abbrev=False, add_help=False)
    for name in dict.fromkeys([*_RESERVED, *options]):
        parser.add_argument(f"--{name}", required=name in options, dest=name)
    found, _ = parser.parse_known_args(_joined(args[1:], [*_RESERVED, *options]))
    return {name: value for name, value in vars(found).items() if value is not None}


def _joined(args: list[str], names: list[str]) -> list[str]:
    """`--key value` as `--key=value`, so that a value may begin with dashes."""
    joined, rest = [], iter(args)
    for one in rest:
        if one.startswith("--") and one[2:] in names:
            value = next(rest, None)
            joined.append(one if value is None else f"{one}={value}")
        else:
            joined.append(one)
    return joined
