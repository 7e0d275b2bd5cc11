"""`penstock predict`: ask a project's model, with rows from a file, from stdin or from the command line."""

import json
import sys
from pathlib import Path

import click

from penstock.cli.session import Session, aimed, pass_session
from penstock.client.api import of
from penstock.errors import PenstockError


@click.command()
@click.argument("file", required=False)
@click.option("--project", help="The project  [default: the stage's only one]")
@click.option("--json", "record", metavar="JSON", help='One record, or {"instances": […]}, or {"text": "…"}.')
@click.option("--csv-answer", is_flag=True, help="Ask for the answer as CSV.")
@aimed
@pass_session
def predict(
    session: Session, file: str | None, project: str | None, record: str | None, csv_answer: bool
) -> None:
    """Ask the model. FILE is CSV or JSON; - reads stdin; or give --json '{…}'. Prints the API's answer."""
    body, kind = question(file, record)
    path = f"{of(project)}/predict" if project else "/predict"
    headers = {"Content-Type": kind, "Accept": "text/csv" if csv_answer else "application/json"}
    answer = session.runs().api.send("POST", path, body, headers)
    click.echo(answer.body.decode().rstrip("\n"))
    if not session.machine and sys.stderr.isatty():
        model = answer.headers.get("X-Penstock-Model")
        click.echo(f"(model {model}, request {answer.headers.get('X-Request-Id')})", err=True)


def question(file: str | None, record: str | None) -> tuple[bytes, str]:
    """The body to send and its content type. Raises PenstockError for none, two, or broken JSON."""
    if (file is None) == (record is None):
        raise PenstockError("predict", "give rows once", "Either FILE (or - for stdin), or --json '{…}'.")
    if record is not None:
        try:
            json.loads(record)
        except ValueError as error:
            raise PenstockError(
                "--json", f"not JSON: {error}", "Quote it as one word: --json '{\"a\": 1}'."
            ) from error
        return record.encode(), "application/json"
    body = sys.stdin.buffer.read() if file == "-" else Path(str(file)).read_bytes()
    is_json = str(file).lower().endswith(".json") or body.lstrip()[:1] in (b"{", b"[")
    return body, "application/json" if is_json else "text/csv"
