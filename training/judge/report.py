"""report.html: one self-contained page, no scripts, nothing loaded. Verdict first, then figures, then tables."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from judge.plots import Plot
from judge.style import CSS

_NAMES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "auc": "AUC",
    "log_loss": "Log loss",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "r2": "R²",
}
_LOWER_IS_BETTER = {"log_loss", "rmse", "mae"}
_MOST_LEAKAGE_ROWS = 60


def page(card: Mapping[str, Any], plots: Sequence[Plot], about: Mapping[str, Any]) -> str:
    """Return the page. `about` is the model's manifest."""
    title = f"{card['project']} · {card['run']}"
    body = "".join(
        [
            _header(card, about),
            _tiles(card),
            _warnings(card["warnings"]),
            "<h2>What it does</h2><div class=figures>" + "".join(map(_figure, plots)) + "</div>",
            _per_class(card),
            _leakage(card),
            _details(card, about),
        ]
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{CSS}</style></head><body><main>{body}</main></body></html>"
    )


def headline(card: Mapping[str, Any]) -> str:
    """Return what the model achieves in one sentence, beside what answering blindly would."""
    own, blind, rows = card["metrics"], card["baseline"]["metrics"], card["rows"]["test"]
    if card["classes"] is None:
        return (
            f"{card['target']} within {own['mae']:.3g} on average, on {rows:,} rows it had not seen; "
            f"always answering the mean is {blind['mae']:.3g} off"
        )
    return (
        f"Right about {card['target']} on {own['accuracy']:.1%} of {rows:,} rows it had not seen; "
        f"always answering the majority class is right on {blind['accuracy']:.1%}"
    )


def _header(card: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    main = "rmse" if card["classes"] is None else "macro_f1"
    badges = [_badge(main, card["metrics"], card["baseline"]["metrics"], "the baseline")]
    if card["champion"]:
        badges.append(_badge(main, card["metrics"], card["champion"]["metrics"], "the champion"))
    where = f"{card['project']} · run {card['run']} · {card['learner']} · dataset version {about['dataset']['version']}"
    return f"<header><p>{escape(where)}</p><h1>{escape(headline(card))}</h1>{''.join(badges)}</header>"


def _badge(name: str, own: Mapping[str, float], other: Mapping[str, float], whom: str) -> str:
    won = _better(name, own[name], other[name])
    words = "beats" if won else "does not beat"
    return f'<span class="badge {"good" if won else "bad"}">{words} {whom} by {_NAMES[name]}</span>'


def _better(name: str, own: float, other: float) -> bool:
    return own < other if name in _LOWER_IS_BETTER else own > other


def _tiles(card: Mapping[str, Any]) -> str:
    compared = {card["baseline"]["name"]: card["baseline"]["metrics"]}
    if card["champion"]:
        compared["champion"] = card["champion"]["metrics"]
    return (
        "<section class=tiles>"
        + "".join(_tile(n, v, compared) for n, v in card["metrics"].items())
        + "</section>"
    )


def _tile(name: str, value: float, compared: Mapping[str, Mapping[str, float]]) -> str:
    lines = ""
    for whom, figures in compared.items():
        if name in figures:
            mark = "won" if _better(name, value, figures[name]) else "lost"
            lines += f'<dt>{escape(whom)}</dt><dd class="{mark}">{_number(figures[name])}</dd>'
    hint = " (lower is better)" if name in _LOWER_IS_BETTER else ""
    return (
        f"<div class=tile><h3>{_NAMES.get(name, escape(name))}{hint}</h3>"
        f"<div class=value>{_number(value)}</div><dl>{lines}</dl></div>"
    )


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    items = "".join(f"<li>{escape(warning)}</li>" for warning in warnings)
    return f'<section class=warnings role="note"><h2>Before you believe it</h2><ul>{items}</ul></section>'


def _figure(plot: Plot) -> str:
    caption = escape(plot.caption)
    return (
        f'<figure><picture><source media="(prefers-color-scheme:dark)" srcset="{_data(plot.dark)}">'
        f'<img src="{_data(plot.light)}" alt="{caption}"></picture><figcaption>{caption}</figcaption></figure>'
    )


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _per_class(card: Mapping[str, Any]) -> str:
    if not card["per_class"]:
        return ""
    rows = "".join(
        f"<tr><td class=name>{escape(row['class'])}</td>"
        + "".join(f"<td class=n>{row[name]:.3f}</td>" for name in ("precision", "recall", "f1"))
        + f"<td class=n>{row['support']:,}</td></tr>"
        for row in card["per_class"]
    )
    return (
        "<h2>Class by class</h2><p class=note>Precision: of the rows it gave this class, how many were. Recall: of the "
        "rows of this class, how many it found.</p><div class=scroll><table><thead><tr><th>Class<th class=n>Precision"
        f"<th class=n>Recall<th class=n>F1<th class=n>Test rows</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _leakage(card: Mapping[str, Any]) -> str:
    measure, note = (
        ("R²", "1 tells all, 0 nothing") if card["classes"] is None else ("AUC", "1 tells all, 0.5 is a coin")
    )
    shown = card["leakage"][:_MOST_LEAKAGE_ROWS]
    rows = "".join(_leakage_row(row, card["classes"] is not None) for row in shown)
    more = len(card["leakage"]) - len(shown)
    return (
        "<h2>Does a column give the answer away?</h2><p class=note>How well each column alone tells "
        f"{escape(card['target'])} on rows it was not fitted to ({measure}: {note}). A column that is only known "
        "after the answer makes a model that shines here and fails in use.</p><div class=scroll><table><thead><tr>"
        f"<th>Column<th class=n>{measure} alone<th>Used<th>Verdict</tr></thead><tbody>{rows}</tbody></table></div>"
        + (f"<p class=note>and {more} more, weaker: see scorecard.json</p>" if more > 0 else "")
    )


def _leakage_row(row: Mapping[str, Any], classes: bool) -> str:
    alone = row["alone"]
    share = 0.0 if alone is None else max(0.0, (alone - 0.5) * 2 if classes else alone)
    bar = f'<span class=track><span class=bar style="width:{100 * min(share, 1):.0f}%"></span></span>'
    number = "-" if alone is None else f"{alone:.3f}"
    loud = ' class="leak"' if row["used"] and row["flagged"] else ""
    return (
        f"<tr{loud}><td class=name>{escape(row['column'])}</td><td class=n>{bar}{number}</td>"
        f"<td>{'yes' if row['used'] else 'no'}</td><td>{escape(row['verdict'])}</td></tr>"
    )


def _details(card: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    facts = {
        "Rows": f"{card['rows']['train']:,} for training, {card['rows']['test']:,} for this test",
        "Hyperparameters": ", ".join(f"{name} {value}" for name, value in about["hyperparameters"].items()),
        "Versions": ", ".join(f"{name} {value}" for name, value in about["versions"].items()),
    }
    rows = "".join(f"<tr><td>{name}</td><td>{escape(text)}</td></tr>" for name, text in facts.items())
    return f"<details><summary>How it was made</summary><table>{rows}</table></details>"


def _number(value: float) -> str:
    return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"
