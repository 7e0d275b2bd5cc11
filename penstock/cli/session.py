"""What every word shares: the stage, where the checkout is, how to speak, and the options that set these."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from penstock import deploy
from penstock.client import stage as stages
from penstock.client.runs import Runs
from penstock.deploy import Deployed

Word = TypeVar("Word", bound=Callable[..., Any])


@dataclass
class Session:
    """One call of the command line. With `machine`, stdout carries one JSON document and nothing else."""

    stage: str = stages.LOCAL
    root: Path = field(default=stages.CHECKOUT)
    machine: bool = False
    debug: bool = False

    @property
    def console(self) -> Console:
        """For a person: stdout, or stderr when stdout belongs to a machine."""
        return Console(stderr=self.machine, highlight=False)

    def say(self, text: str) -> None:
        """One line to a person, as it is."""
        self.console.print(text, markup=False, soft_wrap=True)

    def answer(self, document: Any) -> None:
        """The word's result, for a machine; a person has been told already."""
        if self.machine:
            sys.stdout.write(json.dumps(document, indent=2, default=str, ensure_ascii=False) + "\n")

    def aim(self) -> None:
        """Point boto3 at the stage."""
        stages.aim(self.stage, self.root)

    def locate(self) -> Deployed:
        """The deployed stage. Raises PenstockError when it is not there."""
        self.aim()
        return deploy.locate(self.stage, stages.checkout(self.root))

    def runs(self) -> Runs:
        """The deployed stage's runs."""
        return Runs(self.locate())


pass_session = click.make_pass_decorator(Session, ensure=True)


def _set(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    """An option that may stand before or after the word: the later one wins, an absent one changes nothing."""

    def put(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value:
            setattr(context.ensure_object(Session), name, value)

    return put


def _flag(name: str, field_name: str, help_text: str) -> Callable[[Word], Word]:
    return click.option(name, is_flag=True, expose_value=False, callback=_set(field_name), help=help_text)


def aimed(word: Word) -> Word:
    """`--stage`, `--root` and `--debug`, before or after the word."""
    word = _flag("--debug", "debug", "Show tracebacks.")(word)
    word = click.option(
        "--root",
        type=click.Path(file_okay=False, path_type=Path),
        expose_value=False,
        callback=_set("root"),
        help="The checkout  [default: the one this command is installed from]",
    )(word)
    return click.option(
        "--stage", expose_value=False, callback=_set("stage"), help="The stage to talk to  [default: local]"
    )(word)


def everywhere(word: Word) -> Word:
    """Those, and `--json`."""
    return aimed(_flag("--json", "machine", "Answer in JSON on stdout.")(word))
