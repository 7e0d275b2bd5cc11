"""A guessed spec as YAML that a person can read, check and change."""

from typing import Any

import yaml

from penstock.infer.roles import Role
from penstock.infer.spec import Guess


def render(guess: Guess) -> str:
    """The spec as commented YAML; loading it gives exactly `guess.document`."""
    document = guess.document
    lines = [
        f"# Guessed by `penstock init` from {_plain(guess.sample.file.name)} ({guess.sample.total_rows:,} rows).",
        "# Check it, change what is wrong, and drop the file. Every section: docs/settings.md",
        *(f"# {_plain(note)}" for note in guess.notes),
        f"project: {_scalar(document['project'])}",
        f"task: {document['task']}",
        *([f"min_rows: {document['min_rows']}"] if "min_rows" in document else []),
        *(
            [f"sources: {_flow(document['sources'])}  # the file does not name its columns"]
            if "sources" in document
            else []
        ),
        "",
        "columns:",
        *_columns(guess),
        "",
        f"split: {_flow(document['split'])}  # a row's side is fixed by its content, so more data moves nothing",
        f"learner: {_flow(document['learner'])}  # {_plain(guess.learner_why)}",
        f"gate: {_flow(document['gate'])}  # no release unless better than {_baseline(document['task'])}",
        f"release: {_flow(document['release'])}  # approval: manual waits for a person",
    ]
    return "\n".join(lines) + "\n"


def _columns(guess: Guess) -> list[str]:
    entries = [
        (f"  {_scalar(name)}: {_value(guess.document['columns'][name])}", role)
        for name, role in guess.columns.items()
    ]
    width = min(max(len(text) for text, _ in entries), 48)
    return [f"{text:<{width}}  # {_plain(_reason(role))}" for text, role in entries]


def _reason(role: Role) -> str:
    return role.why


def _value(column: str | dict[str, Any]) -> str:
    return column if isinstance(column, str) else _flow(column)


def _baseline(task: str) -> str:
    told = {"classification": "always saying the commonest class", "embeddings": "vectors drawn at random"}
    return told.get(task, "always saying the mean")


def _flow(value: Any) -> str:
    return yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    ).strip()


def _scalar(text: str) -> str:
    # Inside a list YAML quotes exactly what needs quoting (y, no, 1, a: b), without a document end mark.
    return _flow([text])[1:-1]


def _plain(text: str) -> str:
    """A comment stays one line whatever a file or a cell is called."""
    return " ".join(text.split())
