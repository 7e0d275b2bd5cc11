"""Plain scikit-learn and XGBoost models: the quicker form's answers are the original's, and requests are checked."""

import io
import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC, LinearSVC

from serving import plain, together
from serving.errors import RequestError
from serving.fast import equality, forms

TWEETS = Path(__file__).parents[3] / "shared/data/tweets_semeval_sentiment.csv"
RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(400, 6)).round(3)
LABELS = (ROWS[:, 0] * ROWS[:, 1] > ROWS[:, 2]).astype(int)
TEXTS = [" ".join(f"w{n}" for n in RANDOM.integers(0, 80, size)) for size in RANDOM.integers(1, 25, 400)]
PLAIN = {"SERVING_DEFAULTS": "serving.plain"}
LOADING = "import joblib\n\ndef model_fn(d):\n    return joblib.load(d + '/model.joblib')\n"


def text_models():
    """One of every way a text's row is made, with a linear model or trees behind it."""
    for vectoriser in (
        TfidfVectorizer(),
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, stop_words=["w1", "w2"]),
        TfidfVectorizer(norm="l1", use_idf=False, lowercase=False),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), norm=None),
        CountVectorizer(binary=True),
    ):
        yield make_pipeline(vectoriser, LogisticRegression(max_iter=300))
    yield make_pipeline(TfidfVectorizer(), RandomForestClassifier(20, random_state=1))


@pytest.mark.parametrize("classes", [2, 3])
def test_text_pipelines_answer_as_scikit_learn_does(classes):
    labels = np.array(["a", "b", "c"])[np.arange(400) % classes]
    for model in text_models():
        model.fit(TEXTS, labels)
        form = forms.of(model)
        for rows in (TEXTS, equality.probes(model, form)):
            verdict = equality.compare(model, form, rows)
            assert verdict.equal, (model, verdict)
            assert np.array_equal(model.predict_proba(rows).argmax(1), form.predict(rows).argmax(1))


def boosted(objective: str = "binary:logistic", **parameters):
    import xgboost  # noqa: PLC0415 - a second, for this file only

    labels = LABELS + (ROWS[:, 3] > 1) if "num_class" in parameters else LABELS
    rows = np.where(RANDOM.random(ROWS.shape) < 0.1, np.nan, ROWS)
    return xgboost.train(
        {"objective": objective, "nthread": 1, **parameters}, xgboost.DMatrix(rows, labels), 30
    )


def test_trees_over_rows_answer_as_the_original_does():
    """On the thresholds and one step beside them, where a comparison in another precision would go astray."""
    for model in (
        RandomForestClassifier(20, random_state=1).fit(ROWS, LABELS),
        ExtraTreesRegressor(20, random_state=1).fit(ROWS, ROWS[:, 0]),
        boosted(),
        boosted("multi:softprob", num_class=3),
        boosted("reg:squarederror", base_score=3.0),
    ):
        form = forms.of(model)
        for rows in (ROWS.astype(np.float32), equality.probes(model, form)):
            assert equality.compare(model, form, rows).equal, model


def test_models_without_a_quicker_form_and_forms_that_differ_serve_the_original():
    kernel = SVC().fit(ROWS, LABELS)
    assert forms.of(kernel) is None
    assert forms.of(boosted("count:poisson")) is None
    assert plain.Plain(kernel).quick is False
    forest = RandomForestClassifier(5, random_state=1).fit(ROWS, LABELS)
    form = forms.of(RandomForestClassifier(5, random_state=2).fit(ROWS, LABELS))
    verdict = equality.compare(forest, form, ROWS.astype(np.float32))
    assert not verdict.equal
    assert verdict.largest > 0.1


@pytest.mark.slow
@pytest.mark.skipif(not TWEETS.is_file(), reason="needs the tweets of ../shared/data")
def test_on_all_held_back_tweets_the_answers_are_equal():
    """2,857 tweets that neither model has seen; the forest's probabilities are equal to the last bit."""
    import pandas as pd  # noqa: PLC0415 - here only

    table = pd.read_csv(TWEETS)
    held = table.index % 5 == 0
    for vectoriser, last in (
        (
            TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
            LogisticRegression(C=4, max_iter=1000),
        ),
        (TfidfVectorizer(min_df=2, max_features=5000), RandomForestClassifier(100, random_state=42)),
    ):
        model = make_pipeline(vectoriser, last).fit(table.text[~held], table.sentiment[~held])
        texts = table.text[held].tolist()
        found = forms.of(model).predict(texts)
        expected = model.predict_proba(texts)
        assert len(texts) == 2857
        assert np.array_equal(found.argmax(1), expected.argmax(1))
        assert np.abs(found - expected).max() <= (0 if "forest" in str(last).lower() else 1e-6)


def pack(model):
    """A function that pickles a model into a model directory."""
    return lambda directory: joblib.dump(model, directory / "model.joblib")


def test_a_text_model_behind_the_users_model_fn(serve):
    """No flag is needed: the archive's own code reads its pickle."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, np.array(["no", "yes"])[LABELS])
    server = serve(LOADING, pack(model), **PLAIN).wait_until_healthy()
    expected = model.predict_proba(TEXTS[:3])

    answers = server.invoke(json.dumps({"instances": [{"text": text} for text in TEXTS[:3]]}).encode()).json()
    alone = server.invoke(json.dumps({"text": TEXTS[0]}).encode()).json()["predictions"]
    array = server.invoke(json.dumps(TEXTS[:3]).encode(), accept="application/x-npy").body

    assert [one["prediction"] for one in answers["predictions"]] == model.predict(TEXTS[:3]).tolist()
    assert alone == answers["predictions"][:1]
    assert np.abs(np.load(io.BytesIO(array)) - expected).max() < 1e-6
    assert server.lines("quicker_form")[0]["rows"] == equality.PROBES


def test_rows_of_numbers_by_name_in_order_as_csv_and_as_an_array(serve):
    """XGBoost's own file needs no code and no trust."""
    booster = boosted()
    server = serve(lambda d: booster.save_model(d / "model.ubj"), **PLAIN).wait_until_healthy()
    row = ROWS[0].tolist()
    array = io.BytesIO()
    np.save(array, ROWS[:1])
    named = {f"f{number}": value for number, value in enumerate(row)}
    bodies = [
        (json.dumps({"instances": [row]}).encode(), "application/json"),
        (json.dumps(named).encode(), "application/json"),
        (json.dumps(row).encode(), "application/json"),
        (",".join(map(str, row)).encode(), "text/csv"),
        (f"{','.join(named)}\n{','.join(map(str, row))}\n".encode(), "text/csv"),
        (array.getvalue(), "application/x-npy"),
    ]
    said = [server.invoke(body, content_type=kind).json()["predictions"] for body, kind in bodies]
    expected = float(booster.inplace_predict(ROWS[:1])[0])
    assert said == [said[0]] * len(bodies)
    assert said[0][0]["probabilities"]["1"] == pytest.approx(expected, abs=1e-6)


def test_a_pickle_without_code_needs_a_word_of_trust(serve):
    model = RandomForestClassifier(3, random_state=1).fit(ROWS, LABELS)
    refused = serve(pack(model), **PLAIN)
    assert refused.exit_code() == 1
    assert "model.joblib is a pickle, which can run any code" in refused.errors()
    trusted = serve(pack(model), SERVING_UNPICKLE="true", **PLAIN).wait_until_healthy()
    assert trusted.invoke(json.dumps(ROWS[0].tolist()).encode()).json()["predictions"][0]["prediction"] in (
        0,
        1,
    )


def test_held_back_rows_beside_the_model_are_all_compared(serve):
    def held_back(directory: Path) -> None:
        lines = [json.dumps({"instances": [row]}) for row in ROWS.tolist()]
        (directory / "held_back.jsonl").write_text("\n".join(lines))

    server = serve(lambda d: boosted().save_model(d / "model.ubj"), held_back, **PLAIN).wait_until_healthy()
    assert [line["rows"] for line in server.lines("quicker_form")] == [equality.PROBES, len(ROWS)]


def test_a_booster_that_stopped_early_answers_with_its_best_rounds():
    """As XGBClassifier does; and its quicker form, which does so too, is no longer refused for it."""
    import xgboost  # noqa: PLC0415 - a second, for this file only

    table = xgboost.DMatrix(
        ROWS[:300], RANDOM.permutation(LABELS[:300])
    )  # nothing to learn: the best is soon over
    watched = xgboost.DMatrix(ROWS[300:], LABELS[300:])
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1}, table, 30, evals=[(watched, "v")],
        early_stopping_rounds=10, verbose_eval=False,
    )  # fmt: skip
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    expected = booster.predict(xgboost.DMatrix(ROWS[:5]), iteration_range=(0, booster.best_iteration + 1))
    served = plain.Plain(booster)
    assert served.quick
    said = served.answers(ROWS[:5].tolist())
    assert [one["probabilities"]["1"] for one in said] == pytest.approx(expected.tolist(), abs=1e-6)


def test_a_classifier_without_probabilities_answers_with_its_labels():
    texts = make_pipeline(TfidfVectorizer(), LinearSVC()).fit(TEXTS, np.array(["no", "yes"])[LABELS])
    numbers = LinearSVC().fit(ROWS, LABELS)
    for model, data in ((texts, TEXTS[:3]), (numbers, ROWS[:3].tolist())):
        expected = [{"prediction": label} for label in model.predict(data).tolist()]
        said = plain.Plain(model).answers(data)
        assert said == expected
        assert [type(one["prediction"]) for one in said] == [type(one["prediction"]) for one in expected]
        assert plain.output_fn(said, "text/csv")[0].split() == [str(one["prediction"]) for one in expected]


def test_a_model_that_counts_in_float64_gets_all_digits():
    """Seconds since 1970 differ in digits that a float32 does not have."""
    start = 1_760_000_000
    model = LinearRegression().fit(np.arange(start, start + 200, dtype=np.float64)[:, None], np.arange(200.0))
    (said,) = plain.Plain(model).answers([[start + 150]])
    assert said["prediction"] == pytest.approx(150, abs=0.01)
    assert plain.Plain(model).answers([[1e39]])[0]["prediction"] == pytest.approx(1e39, rel=0.01)


def by_name(*names: str) -> plain.Plain:
    """A booster of two named features."""
    import xgboost  # noqa: PLC0415 - a second, for this file only

    table = xgboost.DMatrix(ROWS[:50, :2], ROWS[:50, 0], feature_names=list(names))
    return plain.Plain(xgboost.train({"nthread": 1}, table, 2))


def test_the_first_row_of_a_csv_is_a_header_only_if_it_cannot_be_data():
    for names, text, rows in (
        (("0", "1"), "0,5\n1,2\n", [[0, 5], [1, 2]]),
        (("a", "1"), "1,a\n5,2\n", [[2, 5]]),
        (("a", "b"), "b,other,a\n5,100,2\n", [[2, 5]]),
    ):
        assert by_name(*names)._rows(plain.input_fn(text, "text/csv")).tolist() == rows
    with pytest.raises(RequestError, match="cannot be used"):
        by_name("a", "b").answers([[[1, 2]], [[1, 2]]])


def test_a_missing_value_may_be_nan_where_the_model_knows_what_it_means():
    served = plain.Plain(boosted())
    row = ROWS[0].tolist()
    gap, array = [[*row[:5], None]], np.array([[*row[:5], np.nan]])
    assert served.answers(gap) == served.answers([[*row[:5], float("nan")]]) == served.answers(array)
    with pytest.raises(RequestError):
        served.answers([[*row[:5], float("inf")]])


@pytest.mark.parametrize("text", ['{"text": "w1 \u2028\x85 w2"}\n', "", "\n\n"])
def test_held_back_texts_may_hold_any_character_and_be_none(tmp_path, text):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    (tmp_path / "held_back.jsonl").write_text(text, encoding="utf-8")
    assert plain.adopt_fn(model, str(tmp_path)).quick


BAD = [
    ([1, 2, 3], "must be 6 values"),
    ([1, 2, 3, 4, 5, "x"], "'x' is not a finite number"),
    ([1, 2, 3, 4, 5, True], "'True' is not a finite number"),
    ([1, 2, 3, 4, 5, 1e39], "is too large"),
    ([1, 2, 3, 4, 5, 10**400], "is not a finite number"),
    ([1, 2, 3, 4, 5, None], "is missing"),
    ([1, 2, 3, 4, 5, float("nan")], "'nan' is not a finite number"),
]


@pytest.mark.parametrize(("row", "said"), BAD)
def test_values_that_cannot_be_used_are_named(row, said):
    served = plain.Plain(RandomForestClassifier(3, random_state=1).fit(ROWS, LABELS))
    with pytest.raises(RequestError) as refused:
        served.answers([ROWS[0].tolist(), row])
    (fault,) = refused.value.detail["faults"]
    assert refused.value.status == 400
    assert fault["instance"] == 1
    assert said in fault["problem"]


def test_rows_of_several_requests_are_predicted_together_and_a_bad_one_by_itself():
    """Rows of plain numbers are arrays, which can be joined; all else stays as it came, so that faults are named."""
    model = plain.Plain(RandomForestClassifier(20, random_state=1).fit(ROWS, LABELS))
    good = [plain.input_fn(json.dumps({"instances": [row]}), "application/json") for row in ROWS[:3].tolist()]
    one = together.joined(good)
    assert one is not None
    assert one.split(model.answers(one.rows)) == [model.answers(rows) for rows in good]
    for row in ([1, 2, 3, 4, 5, True], [1, 2, 3, 4, 5, 1e39], [1, 2, 3, 4, 5, None]):
        bad = plain.input_fn(json.dumps([row]), "application/json")
        assert together.joined([*good, bad]) is None
        with pytest.raises(RequestError, match="1 value"):
            model.answers(bad)
    short = plain.input_fn("[[1, 2]]", "application/json")
    assert together.joined([*good, short]) is None
    with pytest.raises(RequestError, match="1 value"):
        model.answers(short)
    broken = np.full((1, 6), np.nan, np.float32)
    with pytest.raises(RequestError, match="6 value"):
        model.answers(broken)
