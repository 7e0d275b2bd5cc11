"""report.html: one self-contained page, no scripts, nothing loaded. Verdict first, then figures, then tables."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from judge import hurdles, sections, wordcard
from judge.metrics import LOWER_IS_BETTER
from judge.plots import Plot
from judge.sections import named, number
from judge.style import CSS

_MOST_LEAKAGE_ROWS = 60


def page(card: Mapping[str, Any], plots: Sequence[Plot], about: Mapping[str, Any]) -> str:
    """Return the page. `about` is the model's manifest."""
    title = f"{card['project']} · {card['run']}"
    body = "".join(
        [
            _header(card, about),
            _purpose(card),
            _tiles(card),
            _warnings(card["warnings"]),
            sections.leak_free(card),
            sections.comparisons(card) if card["comparisons"] else "",
            "<h2>What it does</h2><div class=figures>" + "".join(map(_figure, plots)) + "</div>",
            wordcard.section(card),
            sections.cutoffs(card),
            _per_class(card),
            sections.slices(card),
            sections.mistakes(card),
            sections.permutation(card),
            _leakage(card) if card["leakage"] else "",
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
    """Return what the model achieves in one sentence, beside what answering blindly would; leak-free where it can."""
    if card["task"] == "embeddings":
        return _of_words(card)
    part = card["leak_free"] if card["leak_free"] and card["leak_free"]["metrics"] else card
    own, blind = part["metrics"], part["baseline"]["metrics"]
    rows = card["rows"]["test"] if part is card else part["rows"]
    unseen = "it had not seen" if part is card else "it had seen neither nor their kin"
    if card["classes"] is None:
        return (
            f"{card['target']} within {own['mae']:.3g} on average, on {rows:,} rows {unseen}; "
            f"always answering the mean is {blind['mae']:.3g} off"
        )
    return (
        f"Right about {card['target']} on {own['accuracy']:.1%} of {rows:,} rows {unseen}; "
        f"always answering the majority class is right on {blind['accuracy']:.1%}"
    )


def _of_words(card: Mapping[str, Any]) -> str:
    told, own = card["words"], card["metrics"]
    said = f"Vectors of {told['vocabulary']:,} words, {told['dimensions']} dimensions"
    if "neighbour_auc" in own:
        share = own["neighbour_auc"]
        said += f"; in texts it had not seen, a word's neighbour is nearer than another word {share:.1%} of the time"
    if "rho" in own:
        said += f"; Spearman's rho with people's {told['pairs_known']} pairs is {own['rho']:.3f}"
    return said


def verdict(card: Mapping[str, Any]) -> str:
    """Return in one sentence whether the model is what was asked for."""
    metric, own, asked = named(card["settings"]["metric"], card), hurdles.value(card), hurdles.hurdles(card)
    if own is None:
        return f"Not judged: there is no {metric} to go by"
    if not asked:
        return f"{metric} {number(own)}; the gate asks nothing"
    failed = [one for one in asked if not one.met]
    told = "; ".join(f"{one.asked} {number(one.limit)}" for one in failed or asked[:1])
    return f"{'Not good enough' if failed else 'Good enough'}: {metric} is {number(own)}; asked for: {told}"


def _header(card: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    where = f"{card['project']} · run {card['run']} · {card['learner']} · dataset version {about['dataset']['version']}"
    said = f"<h1>{escape(verdict(card))}</h1><p class=lead>{escape(headline(card))}.</p>"
    return f"<header><p>{escape(where)}</p>{said}{_badges(card)}</header>"


def _badges(card: Mapping[str, Any]) -> str:
    metric, own = card["settings"]["metric"], hurdles.value(card)
    if own is None:
        return _badge(False, f"No {named(metric, card)} to judge by")
    asked = hurdles.hurdles(card)
    return "".join(
        _badge(one.met, f"{'' if one.met else 'not '}{one.asked} {number(one.limit)}") for one in asked
    )


def _badge(good: bool, words: str) -> str:
    return f'<span class="badge {"good" if good else "bad"}">{escape(words)}</span>'


def _purpose(card: Mapping[str, Any]) -> str:
    """What the model is for, what the gate asks, and whether that is met: the problem sheet."""
    problem, metric, own = card["settings"]["problem"], card["settings"]["metric"], hurdles.value(card)
    ends = sections.between(hurdles.judged_by(card)["intervals"].get(metric))
    sure = f" ({card['settings']['confidence']:.0%} interval {ends})" if ends else ""
    asked = "; ".join(
        f"{one.asked} {number(one.limit)}: {'met' if one.met else 'NOT met'}" for one in hurdles.hurdles(card)
    )
    rows = {
        "Goal": problem.get("goal"),
        "Success": problem.get("success"),
        "Measured by": f"{named(metric, card)}: {number(own)}{sure}",
        "The gate asks": asked or "nothing",
        "Labels by": _cutoff(card),
    }
    body = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows.items() if text)
    return f"<section class=purpose><dl>{body}</dl></section>"


def _cutoff(card: Mapping[str, Any]) -> str | None:
    settings = card["settings"]
    if settings["positive"] is None:
        return None
    if settings["cutoff"] is None:
        return f"whichever class is likelier; “{settings['positive']}” is the one looked for"
    how = {
        "cheapest": "the cheapest on the validation rows",
        "best_f1": "the best by F1 on the validation rows",
    }
    return (
        f"“{settings['positive']}” from a score of {settings['cutoff']:g} on, "
        f"{how.get(settings['chosen'], 'as the spec says')}; the endpoint's own label is the likelier class"
    )


def _tiles(card: Mapping[str, Any]) -> str:
    compared = {card["baseline"]["name"]: card["baseline"]["metrics"]}
    if card["champion"]:
        compared["champion"] = card["champion"]["metrics"]
    return (
        "<section class=tiles>"
        + "".join(_tile(card, n, v, compared) for n, v in card["metrics"].items())
        + "</section>"
    )


def _tile(
    card: Mapping[str, Any], name: str, value: float, compared: Mapping[str, Mapping[str, float]]
) -> str:
    lines = ""
    for whom, figures in compared.items():
        if name in figures:
            mark = "won" if hurdles.better(name, value, figures[name]) else "lost"
            lines += f'<dt>{escape(whom)}</dt><dd class="{mark}">{number(figures[name])}</dd>'
    hint = " (lower is better)" if name in LOWER_IS_BETTER else ""
    ends = sections.between(card["intervals"].get(name))
    return (
        f"<div class=tile><h3>{escape(named(name, card))}{hint}</h3><div class=value>{number(value)}</div>"
        f"<p class=ends>{ends}</p><dl>{lines}</dl></div>"
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
        "Intervals": f"{card['settings']['bootstrap']:,} resamples of the test rows, "
        f"{card['settings']['confidence']:.0%}; fixed seed",
        "Hyperparameters": ", ".join(f"{name} {value}" for name, value in about["hyperparameters"].items()),
        "Versions": ", ".join(f"{name} {value}" for name, value in about["versions"].items()),
    }
    rows = "".join(f"<tr><td>{name}</td><td>{escape(text)}</td></tr>" for name, text in facts.items())
    return f"<details><summary>How it was made</summary><table>{rows}</table></details>"
