"""The report's parts after its head: leak-free figures, comparisons, cutoffs and costs, slices, mistakes."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

NAMES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "auc": "AUC",
    "log_loss": "Log loss",
    "f1": "F1",
    "pr_auc": "PR AUC",
    "tpr_at_fpr": "TPR at FPR",
    "cost": "Cost of a row",
    "rmse": "RMSE",
    "mae": "Mean absolute error",
    "r2": "R²",
    "neighbour_auc": "Neighbour AUC",
    "coverage": "Coverage",
    "rho": "Spearman's rho",
    "analogies": "Analogies right",
}
_MOST_SLICES, _MOST_PERMUTED = 15, 15
Card = Mapping[str, Any]


def named(metric: str, card: Card) -> str:
    """Return a metric's name for people; that of tpr_at_fpr says at which."""
    if metric == "tpr_at_fpr" and card["settings"]["max_fpr"] is not None:
        return f"TPR at FPR ≤ {card['settings']['max_fpr']:g}"
    return NAMES.get(metric, metric)


def number(value: float | None) -> str:
    """Return a figure in as many digits as it deserves."""
    if value is None:
        return "-"
    return f"{value:,.4f}" if abs(value) < 100 else f"{value:,.1f}"


def between(ends: Mapping[str, float] | None) -> str:
    """Return an interval, or nothing."""
    if not ends or ends.get("low") is None:
        return ""
    return f"{number(ends['low'])} to {number(ends['high'])}"


def leak_free(card: Card) -> str:
    """The figures on rows without kin beside those a random split shows."""
    part = card["leak_free"]
    if part is None:
        return ""
    names = list(part["metrics"] or part["random"] or ())
    rows = (
        (named(name, card), number((part["metrics"] or {}).get(name)), between(part["intervals"].get(name)),
         number((part["random"] or {}).get(name)))
        for name in names
    )  # fmt: skip
    return (
        f"<h2>Knowledge or memory?</h2><p class=note>{escape(part['note'])} The gate goes by the leak-free figures: a "
        "model is met by rows whose kin it has not seen.</p>"
        + table((f"By {part['by']}", "#Leak-free", "#Interval", "#Random split"), rows)
    )


def comparisons(card: Card) -> str:
    """What the paired tests say, in words; of the rows the gate goes by."""
    found = (card["leak_free"] or {}).get("comparisons") or card["comparisons"]
    items = []
    for one in found:
        said = one["words"].replace(one["metric"], named(one["metric"], card))
        who, right = one["with"], one["accuracy"]
        more = ""
        if right is not None:
            more = (
                f" On {right['only_model_right']:,} rows only this model is right, on {right['only_other_right']:,} "
                f"only the {'released model' if who == 'champion' else who} (McNemar: p = {right['p_value']:.2g})."
            )
        items.append(f"<li>{escape(said + more)}</li>")
    return f"<h2>Better, or lucky?</h2><ul class=plain>{''.join(items)}</ul>"


def cutoffs(card: Card) -> str:
    """Crosstabs at the cutoffs a person asks for, with what they cost."""
    points = card["operating_points"]
    if not points:
        return ""
    positive, costs = card["settings"]["positive"], card["settings"]["costs"]
    heads = (
        "Cutoff",
        "#Score from",
        "#Found",
        "#Missed",
        "#False alarms",
        "#Rightly left",
        "#Precision",
        "#Recall",
    )
    rows = (
        (row["name"], f"{row['cutoff']:.2f}", *(f"{row[name]:,}" for name in ("tp", "fn", "fp", "tn")),
         f"{row['precision']:.3f}", f"{row['recall']:.3f}", *([f"{row['cost']:,.0f}"] if costs else []))
        for row in points
    )  # fmt: skip
    note = (
        f"From which score on is a row called “{positive}”? Every line counts all test rows. The cheapest and the "
        "best by F1 are picked from these very rows, so they flatter; choose on the validation rows (evaluate.cutoff)."
    )
    if costs:
        told = ", ".join(f"{word} {costs[key]:g}" for key, word in _COSTS.items())
        note += f" Costs of a row: {told}."
    return f"<h2>Where to draw the line</h2><p class=note>{escape(note)}</p>" + table(
        (*heads, *(["#Cost"] if costs else [])), rows
    )


_COSTS = {"fp": "false alarm", "fn": "missed", "tp": "found", "tn": "rightly left"}


def slices(card: Card) -> str:
    """The figure by value of a category, worst first."""
    rows = card["slices"]["rows"]
    if not rows:
        return ""
    metric = card["slices"]["metric"]
    shown = (
        (
            f"{row['column']}: {row['slice']}", f"{row['rows']:,}", number(row["value"]), between(row),
            "worse than the whole" if row["worse"] else "",
        )
        for row in rows[:_MOST_SLICES]
    )  # fmt: skip
    more = len(rows) - _MOST_SLICES
    return (
        "<h2>For whom is it worse?</h2><p class=note>Groups of 30 test rows or more, worst first. Of many groups some "
        "look bad by chance: trust those whose whole interval is worse.</p>"
        + table(("Group", "#Rows", f"#{named(metric, card)}", "#Interval", "Verdict"), shown)
        + (f"<p class=note>and {more} more: see scorecard.json</p>" if more > 0 else "")
    )


def mistakes(card: Card) -> str:
    """The rows it is surest of and wrong about."""
    rows = card["mistakes"]
    if not rows:
        return ""
    shown = (
        (
            "" if row["row"] is None else str(row["row"]),
            "; ".join(f"{name}: {value}" if len(row["shown"]) > 1 else value for name, value in row["shown"].items()),
            _said(row["truth"]), _said(row["said"]), "" if row["score"] is None else f"{row['score']:.3f}",
        )
        for row in rows
    )  # fmt: skip
    title = "The surest mistakes" if card["classes"] else "The largest misses"
    return (
        f"<h2>{title}</h2><p class=note>Look here for wrong labels and for what the model cannot see.</p>"
        + table(("#Row", "What it saw (shortened)", "It is", "It said", "#Score"), shown)
    )


def permutation(card: Card) -> str:
    """What would be lost without each column."""
    rows = card["permutation"][:_MOST_PERMUTED]
    if len(rows) < 2:
        return ""
    metric = named(str(card["settings"]["metric"]), card)
    shown = ((row["column"], number(row["loss"]), f"± {number(row['spread'])}") for row in rows)
    return (
        f"<h2>What it would lose without a column</h2><p class=note>How much worse {escape(metric)} gets when the "
        "values of a column are dealt to other test rows. Columns that say the same share the loss.</p>"
        + table(("Column", "#Loss", "#Spread"), shown)
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a head that starts with # is over numbers."""
    kinds = ["n" if head.startswith("#") else "name" for head in heads]
    top = "".join(
        f"<th class={kind}>{escape(head.lstrip('#'))}" for kind, head in zip(kinds, heads, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td class={kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _said(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
