"""Metrics in log lines: what counts, and under which dimensions."""

from __future__ import annotations

import json

import pytest

from penstock.localaws.extension.embedded_metrics import metrics_in

LINE = {
    "Stage": "local",
    "Requests": 1.0,
    "Times": [1, 2],
    "_aws": {
        "CloudWatchMetrics": [
            {
                "Namespace": "P",
                "Dimensions": [["Stage"], ["Absent"]],
                "Metrics": [{"Name": "Requests", "Unit": "Count"}],
            },
            {"Namespace": "P", "Dimensions": [[]], "Metrics": [{"Name": "Times"}, {"Name": "Nothing"}]},
        ]
    },
}


def test_every_metric_of_a_line_is_found_with_its_dimensions() -> None:
    assert list(metrics_in(json.dumps(LINE))) == [
        ("P", "Requests", 1.0, "Count", {"Stage": "local"}),
        ("P", "Times", 1.0, "None", {}),
        ("P", "Times", 2.0, "None", {}),
    ]


@pytest.mark.parametrize("line", ['"_aws"', "{", '{"_aws": 5}', '{"_aws": {}}', "[]"])
def test_other_lines_count_nothing(line: str) -> None:
    assert list(metrics_in(line)) == []
