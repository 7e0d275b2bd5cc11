"""BlazingText's stand-in: hyperparameters, channels, evaluation, training and answers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from penstock.localaws.containers.blazingtext import METRICS, corpus, evaluation, hyperparameters
from penstock.localaws.containers.blazingtext.failure import UserError
from penstock.localaws.sagemaker.jobs.metrics import MetricReader

pytest.importorskip("floret", reason='needs pip install "penstock[blazingtext]"')
from penstock.localaws.containers.blazingtext import inference

ROOT = Path(__file__).resolve().parents[3]
FRUIT, TOOLS = ["apple", "pear", "plum", "cherry"], ["hammer", "saw", "drill", "chisel"]


def sentences(words: list[str], count: int) -> list[str]:
    return [" ".join(words[(i + j) % len(words)] for j in range(4)) for i in range(count)]


def run(base: Path, hyperparameters: dict[str, str], hosts: int = 1, **channels: str):
    """Train in a directory laid out as /opt/ml; the process when it has ended."""
    config = base / "input/config"
    config.mkdir(parents=True)
    entry = {"S3DistributionType": "ShardedByS3Key" if hosts > 1 else "FullyReplicated"}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "inputdataconfig.json").write_text(json.dumps(dict.fromkeys(channels, entry)))
    names = [f"algo-{n}" for n in range(1, hosts + 1)]
    (config / "resourceconfig.json").write_text(json.dumps({"hosts": names, "current_host": "algo-1"}))
    for name, text in channels.items():
        (base / "input/data" / name).mkdir(parents=True)
        (base / "input/data" / name / "part").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "penstock.localaws.containers.blazingtext.train"],
        env={"SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("given_", "complaint"),
    [
        ({}, "Missing required hyperparameter: mode"),
        ({"mode": "glove"}, "mode: glove is not in"),
        ({"mode": "cbow", "foo": "1"}, "Extraneous hyperparameter found: foo"),
        ({"mode": "cbow", "word_ngrams": "2"}, "Extraneous hyperparameter found: word_ngrams"),
        ({"mode": "supervised", "window_size": "2"}, "Extraneous hyperparameter found: window_size"),
        ({"mode": "cbow", "epochs": "0"}, r"epochs: 0 is not in \[1, inf\]"),
        ({"mode": "cbow", "epochs": "many"}, "'many' is not an integer"),
        ({"mode": "cbow", "learning_rate": "-1"}, "-1.0 is not a positive number"),
        ({"mode": "cbow", "learning_rate": "nan"}, "nan is not a positive number"),
        ({"mode": "cbow", "subwords": "perhaps"}, "is not True or False"),
        ({"mode": "cbow", "min_char": "7"}, "min_char 7 is over max_char 6"),
    ],
)
def test_a_hyperparameter_at_fault_is_named(given_: dict[str, str], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        hyperparameters.parse(given_)


def test_hyperparameters_have_the_guides_defaults() -> None:
    settings = hyperparameters.parse({"mode": "batch_skipgram", "_tuning_objective_metric": "train:mean_rho"})
    assert (settings.epochs, settings.vector_dim, settings.min_count, settings.subwords) == (5, 100, 5, False)


def test_lines_of_an_augmented_manifest_become_labelled_lines(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(
        '{"source": "fine  film", "label": 4}\n{"source": "bad", "label": [1, 2]}\n'
    )
    (tmp_path / "b.txt").write_text("__label__3 plain line\n\n")
    (tmp_path / ".hidden").write_text("not a label\n")
    target = tmp_path / "_all"
    assert corpus.labelled(tmp_path, target) == 3
    assert target.read_text().splitlines() == [
        "__label__4 fine film",
        "__label__1 __label__2 bad",
        "__label__3 plain line",
    ]


@pytest.mark.parametrize("line", ["no label here", '{"text": "x"}', '{"source": "x"'])
def test_a_line_without_a_label_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"__label__1 ok\n{line}\n")
    with pytest.raises(UserError, match=r"Line 2 of a\.txt"):
        corpus.labelled(tmp_path, tmp_path / "_all")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3))
def test_the_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    if len(set(a)) > 1 and len(set(b)) > 1:
        assert evaluation.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    else:
        assert evaluation.spearman(a, b) == 0.0


def test_word_vectors_are_trained_written_evaluated_and_answered(tmp_path: Path) -> None:
    text = "\n".join(sentences(FRUIT, 300) + sentences(TOOLS, 300))
    pairs = (
        "Word 1,Word 2,score\napple,pear,9\nhammer,saw,8.5\napple,hammer,1\npear,drill,1.5\napple,zebra,3\n"
    )
    given_ = {
        "mode": "batch_skipgram",
        "vector_dim": "8",
        "min_count": "1",
        "epochs": "20",
        "sampling_threshold": "1.0",  # eight words: each is frequent
    }
    done = run(tmp_path, given_, train=text, evaluation=pairs)
    assert done.returncode == 0, done.stderr
    head, *lines = (tmp_path / "model/vectors.txt").read_text().splitlines()
    assert head.split()[1] == "8"
    assert int(head.split()[0]) == len(lines)
    assert all(len(line.split()) == 9 for line in lines)
    rated = json.loads((tmp_path / "model/eval.json").read_text())
    assert rated["part"] == {"not_found": 1, "spearmans_rho": rated["mean_rho"], "total_pairs": 5}
    assert rated["mean_rho"] > 0.5
    reader = MetricReader([{"Name": name, "Regex": regex} for name, regex in METRICS.items()])
    for line in done.stdout.splitlines():
        reader.read(line, 0.0)
    assert [(one["MetricName"], one["Value"]) for one in reader.final()] == [
        ("train:mean_rho", pytest.approx(rated["mean_rho"], abs=1e-4))
    ]

    model = inference.model_fn(str(tmp_path / "model"))
    body, kind = inference.transform_fn(model, '{"instances": ["apple", "zebra"]}', "application/json", "*/*")
    known, unknown = json.loads(body)
    assert kind == "application/json"
    assert known["word"] == "apple"
    assert known["vector"] == pytest.approx(
        [float(x) for x in next(v for v in lines if v.startswith("apple ")).split()[1:]], rel=1e-4
    )
    assert unknown["vector"] == [0.0] * 8


def test_with_subwords_an_unknown_word_has_a_vector(tmp_path: Path) -> None:
    given_ = {"mode": "cbow", "subwords": "True", "vector_dim": "8", "min_count": "1", "buckets": "1000"}
    done = run(tmp_path, given_, train="\n".join(sentences(FRUIT, 100)))
    assert done.returncode == 0, done.stderr
    assert "No word pairs" in done.stdout or (tmp_path / "model/eval.json").exists()
    model = inference.model_fn(str(tmp_path / "model"))
    assert any(model.answer("apples", 1)["vector"])


def test_texts_are_classified_with_the_best_labels_and_their_accuracy_is_a_metric(tmp_path: Path) -> None:
    train = "\n".join(
        f"__label__{name} {line}"
        for name, words in (("fruit", FRUIT), ("tool", TOOLS))
        for line in sentences(words, 100)
    )
    given_ = {
        "mode": "supervised",
        "min_count": "1",
        "vector_dim": "8",
        "buckets": "1000",
        "epochs": "20",
        "early_stopping": "true",
    }
    done = run(
        tmp_path, given_, train=train, validation="__label__tool saw drill\n__label__fruit saw drill\n"
    )
    assert done.returncode == 0, done.stderr
    assert "early_stopping is not followed here" in done.stdout
    reader = MetricReader([{"Name": name, "Regex": regex} for name, regex in METRICS.items()])
    for line in done.stdout.splitlines():
        reader.read(line, 0.0)
    assert {one["MetricName"]: one["Value"] for one in reader.final()} == {
        "train:accuracy": 1.0,
        "validation:accuracy": 0.5,
    }

    model = inference.model_fn(str(tmp_path / "model"))
    request = '{"source": "saw drill", "k": 2}\n{"source": "plum pear"}\n'
    body, _ = inference.transform_fn(model, request, "application/jsonlines", "application/jsonlines")
    tool, fruit = (json.loads(line) for line in body.splitlines())
    assert tool["label"] == ["__label__tool", "__label__fruit"]
    assert sum(tool["prob"]) == pytest.approx(1, abs=0.01)
    assert fruit["label"] == ["__label__fruit"]
    for body_, kind, accept, status in (
        ("a,b", "text/csv", "*/*", 415),
        ("{}", "application/json", "text/csv", 406),
        ("{}", "application/json", "*/*", 400),
        ('{"instances": ["x"], "configuration": {"k": 3}}', "application/json", "*/*", 400),
        ('{"instances": [7]}', "application/json", "*/*", 400),
        ("[]", "application/json", "*/*", 400),
        ("{", "application/json", "*/*", 400),
    ):
        with pytest.raises(inference.Refused) as refused:
            inference.transform_fn(model, body_, kind, accept)
        assert refused.value.status == status


@pytest.mark.parametrize(
    ("given_", "channels", "hosts", "reason"),
    [
        ({"mode": "cbow"}, {"validation": "x"}, 1, "ClientError: Channel configuration for 'train'"),
        ({"mode": "supervised"}, {"train": "no label"}, 1, "ClientError: Line 1 of part"),
        ({"mode": "cbow"}, {"train": "a b"}, 2, "ClientError: Training on several instances"),
        ({"mode": "cbow"}, {"train": ""}, 1, "Empty vocabulary"),
    ],
)
def test_a_failure_says_why_where_the_platform_reads_it(
    tmp_path: Path, given_: dict[str, str], channels: dict[str, str], hosts: int, reason: str
) -> None:
    done = run(tmp_path, given_, hosts, **channels)
    assert done.returncode != 0
    assert reason in (tmp_path / "output/failure").read_text()
