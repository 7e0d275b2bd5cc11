"""`penstock`: the parser only. Every word is a module of its name; every error is one message and exit code 1."""

import sys
import traceback
from importlib import import_module

import click
from botocore.exceptions import BotoCoreError, ClientError

from penstock.cli.session import Session, everywhere
from penstock.errors import PenstockError

WORDS = (
    "demo",
    "up",
    "status",
    "logs",
    "env",
    "down",
    "deploy",
    "destroy",
    "package",
    "init",
    "drop",
    "watch",
    "why",
    "replay",
    "erase",
    "runs",
    "leaderboard",
    "compare",
    "reproduce",
    "sql",
    "cost",
    "predict",
    "load",
    "sweep",
)


class Words(click.Group):
    """The words in the order one needs them, each loaded when it is said: `up` need not wait for pandas."""

    def list_commands(self, _: click.Context) -> list[str]:
        """All words."""
        return list(WORDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        """The word's own module has a command of the same name."""
        if cmd_name not in WORDS:
            return None
        command: click.Command = getattr(import_module(f"penstock.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=Words, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="penstock")
@everywhere
def cli() -> None:
    """Drop a file in S3; get a trained and judged model behind a REST API. On AWS, or on this machine."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command line; returns its exit code."""
    session = Session()
    try:
        cli.main(arguments, prog_name="penstock", standalone_mode=False, obj=session)
    except (PenstockError, ClientError, BotoCoreError, OSError) as error:
        return _failed(error, session)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("Stopped. What was started goes on: see `penstock runs`.\n")
        return 130
    except Exception as error:  # noqa: BLE001 - a person gets words; --debug gives the traceback
        return _failed(error, session)
    return 0


def _failed(error: Exception, session: Session) -> int:
    if session.debug:
        traceback.print_exception(error)
    where, what, do_next = explain(error)
    sys.stderr.write(f"Error: {where}: {what}\n")
    if do_next:
        sys.stderr.write(f"  Next: {do_next}\n")
    return 1


def explain(error: Exception) -> tuple[str, str, str]:
    """Where, what and what to do next, of any error."""
    if isinstance(error, PenstockError):
        return error.where, error.what, error.do_next
    if isinstance(error, ClientError):
        told = error.response["Error"]
        return (
            error.operation_name,
            f"AWS answers {told['Code']}: {told['Message']}",
            "Check credentials and permissions.",
        )
    if isinstance(error, BotoCoreError):
        return "AWS", str(error), "Check your AWS credentials and region; for stage local, `penstock status`."
    if isinstance(error, OSError):
        return (
            str(error.filename or "this machine"),
            error.strerror or str(error),
            "Check the path and its permissions.",
        )
    return (
        "penstock",
        f"an unforeseen {type(error).__name__}: {error}",
        "Run it again with --debug and report it.",
    )


if __name__ == "__main__":
    sys.exit(main())
