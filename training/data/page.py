"""report.html of a dataset version: one self-contained page, no scripts, nothing loaded. What matters first."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from judge.style import CSS

from data import figures, plots

_OWN_CSS = """
:root{--second:#d9730d;--c0:#2563c9;--c1:#e08a2e;--c2:#2a9d6f;--c3:#b4478f;--c4:#8a63d2;--c5:#c9a227;--c6:#3aa6b9;
--c7:#c0504d;--c8:#8c959f;--c9:#b1b8c0}
@media(prefers-color-scheme:dark){:root{--second:#f2a65a;--c0:#6ea8fe;--c1:#f2a65a;--c2:#5fd0a0;--c3:#e08bc4;--c4:#b79cf0;
--c5:#e3c65b;--c6:#72cfe0;--c7:#f08a86;--c8:#7d8590;--c9:#565e68}}
svg{display:block;width:100%;height:auto;font-family:inherit}
svg text{fill:var(--ink)}svg .tick{font-size:11px;fill:var(--muted)}svg .name{font-size:12px}svg .cell{font-size:10.5px}
svg .grid{stroke:var(--line);stroke-width:.7}svg .cellbox{stroke:var(--line);stroke-width:.5}
svg .line{fill:none;stroke:var(--second);stroke-width:2}svg .dot{fill:var(--second)}svg .second{fill:var(--second)}
figcaption{padding:0 .3rem .6rem}figcaption b{color:var(--ink);font-size:.98rem;overflow-wrap:anywhere}
.role{border:1px solid var(--line);border-radius:99px;padding:0 .5rem;font-size:.78rem}
.key{display:inline-block;margin-right:.9rem;color:var(--ink)}
.key i{display:inline-block;width:.75rem;height:.75rem;border-radius:3px;margin-right:.3rem;vertical-align:-1px}
td.leak{color:var(--bad);font-weight:600}td.none{color:var(--muted)}td b{font-weight:650}
.ok{color:var(--good)}.words{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,300px),1fr));gap:1rem}
.alone{grid-template-columns:minmax(0,540px)}.tight{font-size:.84rem}
.tight td.name{white-space:nowrap;overflow-wrap:normal}
.tight td,.tight th{padding:.4rem .45rem}.words svg .name{font-size:15px}.words svg .tick{font-size:13px}
code{font-size:.9em;overflow-wrap:anywhere}
"""
_SIDES = ("train", "validation", "test")
_VERDICTS = {"leak": "LEAK", "note": "look", "clear": "clear"}
_ROWS_SHOWN = 60


def page(document: Mapping[str, Any]) -> str:
    """The page for an eda.json."""
    title = f"{document['project']} · dataset version {document['version']}"
    parts = (
        _header,
        _tiles,
        _warnings,
        _target,
        _guard,
        _columns,
        _figures,
        _together,
        _words,
        _refused,
        _objects,
        _method,
    )
    body = "".join(part(document) for part in parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{CSS}{_OWN_CSS}</style></head><body><main>{body}</main></body></html>"
    )


def headline(document: Mapping[str, Any]) -> str:
    """What the dataset is, in one sentence."""
    rows, read = document["rows"], document["read"]
    kept = sum(rows[side] for side in _SIDES)
    said = f"{kept:,} of {read:,} rows are ready to learn from and be judged by"
    target = document["target"]
    if target["name"] is None:
        return said
    if target["classes"] is None:
        column = next(column for column in document["columns"] if column["role"] == "label")
        return f"{said}; {target['name']} is {figures.number(column['mean'])} on average"
    sizes = {name: sum(sides.get(side, 0) for side in _SIDES) for name, sides in target["sides"].items()}
    most = max(sizes, key=lambda name: sizes[name])
    return (
        f"{said}; {target['name']} is “{figures.short(most, 40)}” in {sizes[most] / (kept or 1):.1%} of them"
    )


def _header(document: Mapping[str, Any]) -> str:
    leaks = sum(finding["verdict"] == "leak" for finding in document["leaks"])
    badge = (
        f'<span class="badge bad">the leak guard found {leaks}</span>'
        if leaks
        else '<span class="badge good">the leak guard found no leak</span>'
    )
    where = f"{document['project']} · dataset version {document['version']} · {document['task']}"
    return f"<header><p>{escape(where)}</p><h1>{escape(headline(document))}</h1>{badge}</header>"


def _tiles(document: Mapping[str, Any]) -> str:
    rows, read = document["rows"], document["read"]
    tiles = [("Rows read", read, f"{len(document['columns'])} columns, {document['objects_in_all']:,} files")]
    for side, count in rows.items():
        if count or side in _SIDES:
            tiles.append((side.capitalize(), count, f"{_percent(count, read)} of the rows read"))
    return "<section class=tiles>" + "".join(
        f"<div class=tile><h3>{escape(name)}</h3><div class=value>{count:,}</div><dl><dt>{escape(said)}</dt></dl></div>"
        for name, count, said in tiles
    ) + "</section>"  # fmt: skip


def _warnings(document: Mapping[str, Any]) -> str:
    leaks = [finding["said"] for finding in document["leaks"] if finding["verdict"] == "leak"]
    if not leaks:
        return ""
    items = "".join(f"<li>{escape(said)}</li>" for said in leaks)
    return f'<section class=warnings role="note"><h2>Before you believe a model of it</h2><ul>{items}</ul></section>'


def _target(document: Mapping[str, Any]) -> str:
    target = document["target"]
    if target["name"] is None:
        return ""
    heading = f"<h2>What is to be predicted: {escape(target['name'])}</h2>"
    if target["classes"] is None:
        column = next(column for column in document["columns"] if column["role"] == "label")
        return f'{heading}<div class="figures alone">{plots.of_column(column, target)}</div>'
    kept = {side: sum(sides.get(side, 0) for sides in target["sides"].values()) for side in _SIDES}
    lines = ""
    for name in sorted(target["sides"], key=lambda name: -target["read"].get(name, 0))[:_ROWS_SHOWN]:
        sides = target["sides"][name]
        cells = "".join(f"<td class=n>{_count(sides.get(side, 0), kept[side])}</td>" for side in _SIDES)
        all_read = _count(target["read"].get(name, 0), sum(target["read"].values()))
        lines += f"<tr><td class=name>{escape(figures.short(name, 60))}</td><td class=n>{all_read}</td>{cells}</tr>"
    more = len(target["sides"]) - _ROWS_SHOWN
    return (
        f"{heading}<p class=note>How often each class was in the files, whatever became of the rows, and how often "
        "it is on each side: rows and their share.</p><div class=scroll><table><thead><tr><th>Class"
        "<th class=n>In the files"
        f"<th class=n>Train<th class=n>Validation<th class=n>Test</tr></thead><tbody>{lines}</tbody></table></div>"
        + (f"<p class=note>and {more} more classes: see eda.json</p>" if more > 0 else "")
    )


def _guard(document: Mapping[str, Any]) -> str:
    lines = "".join(
        f'<tr><td class="{"leak" if one["verdict"] == "leak" else "ok" if one["verdict"] == "clear" else ""}">'
        f"{_VERDICTS[one['verdict']]}</td><td>{escape(one['check'].replace('_', ' '))}</td>"
        f"<td class=name>{escape(one['said'])}</td></tr>"
        for one in document["leaks"]
    )
    return (
        "<h2>The leak guard</h2><p class=note>What would make a model look better here than it is: the same thing on "
        "both sides of the split, or a column that knows the answer.</p><div class=scroll><table><thead><tr><th>Verdict"
        f"<th>Check<th>What was found</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _columns(document: Mapping[str, Any]) -> str:
    kept = sum(document["rows"].get(side, 0) for side in (*_SIDES, "unlabelled"))
    shown = document["columns"][: 2 * _ROWS_SHOWN]
    lines = "".join(_column(column, document["read"], kept) for column in shown)
    more = len(document["columns"]) - len(shown)
    names = (
        "Column",
        "Is",
        "Empty in the files",
        "Missing",
        "Values",
        "Min",
        "5%",
        "Median",
        "Mean",
        "95%",
        "Max",
        "Deviation",
    )
    head = "".join(f"<th{' class=n' if place > 1 else ''}>{name}" for place, name in enumerate(names))
    return (
        "<h2>Columns</h2><p class=note>Empty: cells without a value in all rows read. The other figures are of the "
        f"{kept:,} rows kept; missing counts null values (“tbd”) too.</p>"
        "<div class=scroll><table class=tight><thead><tr>"
        f"{head}</tr></thead><tbody>{lines}</tbody></table></div>"
        + (f"<p class=note>and {more} more: see eda.json</p>" if more > 0 else "")
    )


def _column(column: Mapping[str, Any], read: int, kept: int) -> str:
    quantiles = column.get("quantiles") or {}
    figures_of = [
        quantiles.get("0.05"), quantiles.get("0.5"), column.get("mean"), quantiles.get("0.95")
    ]  # fmt: skip
    cells = [
        _count(column["empty"], read), _count(column["nulls"], kept), f"{column['distinct']:,}",
        _short(column.get("min")), *map(_short, figures_of), _short(column.get("max")), _short(column.get("deviation")),
    ]  # fmt: skip
    numbers = "".join(f"<td class=n>{cell}</td>" for cell in cells)
    name = escape(figures.short(column["name"], 60))
    return f"<tr><td class=name><b>{name}</b></td><td>{column['role']}</td>{numbers}</tr>"


def _count(count: int | None, of: int) -> str:
    if count is None:
        return "<span class=note>-</span>"
    return f"{count:,} <span class=note>{_percent(count, of)}</span>" if count else "0"


def _short(value: Any) -> str:
    if isinstance(value, str):
        return escape(value[:16].replace("T00:00", "").replace("T", " "))
    return "" if value is None else figures.number(value)


def _figures(document: Mapping[str, Any]) -> str:
    target = document["target"]
    others = [column for column in document["columns"] if column["role"] != "label"]
    drawn = "".join(plots.of_column(column, target) for column in others)
    if not drawn:
        return ""
    return f"<h2>Column by column</h2>{plots.legend(target, others)}<div class=figures>{drawn}</div>"


def _together(document: Mapping[str, Any]) -> str:
    found = document["correlations"]
    if not found:
        return ""
    down, values = list(found["columns"]), [list(line) for line in found["values"]]
    if found["target"]:
        name = document["target"]["name"] + (f" = {found['of']}" if found["of"] is not None else "")
        down, values = [name, *down], [found["target"], *values]
    title = "How numbers move together: Pearson's r, from -1 (one falls as the other rises) to 1"
    return (
        f"<h2>Numbers together</h2><p class=note>{escape(title)}; 0 is no line between them.</p><figure>"
        f"{figures.heat(title, values, down, found['columns'])}</figure>"
    )


def _words(document: Mapping[str, Any]) -> str:
    found = document["terms"]
    if not found or not found["classes"]:
        return ""
    drawn = "".join(
        f"<figure><figcaption><b>{escape(figures.short(name, 40) if name else 'all texts')}</b></figcaption>"
        + figures.rows(
            f"Terms of {name}", [[entry["rows"]] for entry in entries], [entry["term"] for entry in entries], ["texts"],
            [f"{entry['rows']:,} of {entry['of']:,}" for entry in entries],
        )
        + "</figure>"
        for name, entries in found["classes"].items()
        if entries
    )  # fmt: skip
    return (
        f"<h2>Words of {escape(found['column'])}</h2><p class=note>The words that tell each class from the others: how "
        f"many of its texts have one, of all that have it. Counted in {found['sampled']:,} of {found['of']:,} texts; "
        f"common English words are left out.</p><div class=words>{drawn}</div>"
    )


def _refused(document: Mapping[str, Any]) -> str:
    found = document["refused"]
    if not found["reasons"]:
        return ""
    reasons = "".join(
        f"<tr><td class=name>{escape(row['column'] or 'the row')}</td><td>{escape(row['reason'])}</td>"
        f"<td class=n>{row['rows']:,}</td></tr>"
        for row in found["reasons"]
    )
    examples = "".join(
        f"<tr><td class=name>{escape(row['_source'].rsplit('/', 1)[-1])}</td><td class=n>{row['number']:,}</td>"
        f"<td class=name>{escape(row['column'] or 'the row')}</td><td><code>{_quoted(row['value'])}</code></td>"
        f"<td>{escape(row['reason'])}</td></tr>"
        for row in found["examples"]
    )
    return (
        f"<h2>Refused rows</h2><p class=note>{document['rows']['quarantined']:,} rows are in quarantine; a row may "
        "have several faults.</p><div class=scroll><table><thead><tr><th>Column<th>Fault<th class=n>Rows</tr></thead>"
        f"<tbody>{reasons}</tbody></table></div><details><summary>The first of them</summary><div class=scroll><table>"
        "<thead><tr><th>File<th class=n>Row<th>Column<th>Value<th>Fault</tr></thead>"
        f"<tbody>{examples}</tbody></table></div></details>"
    )


def _quoted(value: str | None) -> str:
    return escape(figures.short(value, 60)) if value else ""


def _objects(document: Mapping[str, Any]) -> str:
    sides = [side for side, count in document["rows"].items() if count]
    head = "".join(f"<th class=n>{escape(side.capitalize())}" for side in sides)
    lines = "".join(
        f"<tr><td class=name>{escape(one['key'])}</td>"
        + "".join(f"<td class=n>{one['rows'].get(side, 0):,}</td>" for side in sides)
        + "</tr>"
        for one in document["objects"]
    )
    more = document["objects_in_all"] - len(document["objects"])
    return (
        f"<h2>Where the rows come from</h2><div class=scroll><table><thead><tr><th>File{head}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>"
        + (f"<p class=note>and {more:,} more files: see prepare.json</p>" if more > 0 else "")
    )


def _method(document: Mapping[str, Any]) -> str:
    exact = (
        "All figures are of all rows, but the words and what the leak guard says it sampled."
        if document["exact"]
        else "Rows, means and bars are of all rows. Numbers of values, medians and other quantiles are estimates, "
        "the words and what the leak guard says it sampled are of a sample."
    )
    action = {"warn": "warns", "fail": "ends the run"}[document["leaks_action"]]
    return (
        f"<details><summary>How it was made</summary><p>{exact} When it finds a leak, the guard {action} "
        "(<code>leaks</code> in the project spec). The figures behind this page are in <code>eda.json</code> beside it."
        "</p></details>"
    )


def _percent(count: int, of: int) -> str:
    share = count / of if of else 0.0
    return "0%" if not count else f"{share:.1%}" if share >= 0.001 else "<0.1%"
