"""`penstock init`'s guesses: on data people have, and on each trap by itself."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pandas
import pytest
import yaml
from sklearn import datasets

from penstock.errors import PenstockError
from penstock.infer import relations, sample
from penstock.infer.render import render
from penstock.infer.spec import Guess, infer

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data"
SCHEMA = json.loads((ROOT / "chalicelib" / "contracts" / "project.schema.json").read_text(encoding="utf-8"))
Write = Callable[..., Path]
WORDS = ("the", "cat", "sat", "on", "a", "mat", "while", "it", "rained")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes columns (name → values) as a CSV and returns its path."""

    def put(name: str = "data.csv", /, **columns: list[Any]) -> Path:
        path = tmp_path / name
        rows = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return path

    return put


def numbers(count: int, seed: int) -> list[float]:
    """Numbers with nothing to find in them."""
    source = random.Random(seed)
    return [round(source.gauss(10, 3), 4) for _ in range(count)]


def types(guess: Guess) -> dict[str, str]:
    """Column → role."""
    return {name: role.type for name, role in guess.columns.items()}


def real(name: str) -> Path:
    """A file of the shared data, or a skip that says so."""
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"../shared/data/{name} is not here")
    return path


def test_telecom_churn() -> None:
    """phone_number is 1 to 5,000 in any order; area_code is three codes, state more than pay as categories."""
    guess = infer(real("telecom_churn_5k.csv"))
    found = types(guess)
    assert (guess.target.column, guess.document["task"]) == ("class", "classification")
    assert found["phone_number"] == "id"
    assert (found["state"], found["area_code"]) == ("number", "category")
    assert found["total_day_minutes"] == found["international_plan"] == "number"
    assert "ignore" not in found.values()
    assert guess.document["learner"] == {"name": "gradient_boosting"}


def test_abalone() -> None:
    """Rings are counted, and many: a quantity."""
    guess = infer(real("abalone.csv"))
    assert (guess.target.column, guess.document["task"]) == ("Rings", "regression")
    assert types(guess)["Sex"] == "category"
    assert guess.document["gate"]["metric"] == "rmse"


def test_tweets() -> None:
    """A text to learn from."""
    guess = infer(real("tweets_semeval_sentiment.csv"))
    assert types(guess) == {"tweet_id": "id", "text": "text", "sentiment": "label"}
    assert guess.document["learner"] == {"name": "text_linear"}


@pytest.mark.parametrize(("asked", "task"), [(None, "regression"), ("Global_Sales > 1", "classification")])
def test_video_games(asked: str | None, task: str) -> None:
    """Regional sales add up to the answer; scores say tbd; half of them are missing."""
    guess = infer(real("video_games_sales_2016.csv"), target=asked)
    found = types(guess)
    assert (guess.target.column, guess.document["task"]) == ("Global_Sales", task)
    assert [name for name, role in found.items() if role == "ignore"] == [
        "NA_Sales",
        "EU_Sales",
        "JP_Sales",
        "Other_Sales",
    ]
    assert guess.document["columns"]["User_Score"] == {"type": "number", "null_values": ["tbd"]}
    assert found["Name"] == "id"
    assert found["Critic_Score"] == "number"
    assert found["Developer"] == "category"
    if asked:
        assert guess.document["columns"]["Global_Sales"] == {"type": "label", "above": 1}


def test_news_stories_stay_together() -> None:
    """Near-equal headlines of one story must not be on both sides of the split."""
    guess = infer(real("news_headlines_uci_40k.csv"))
    assert (guess.target.column, guess.document["split"]["group"]) == ("CATEGORY", "STORY")
    assert guess.document["learner"] == {"name": "text_linear"}


def test_a_file_without_names_is_described_by_its_looks() -> None:
    """The raw news file: tabs, bare quotes, no header; stories stay together, the class is the fewest words."""
    guess = infer(real("news_uci_raw_5k.tsv"))
    found = types(guess)
    assert guess.document["sources"] == {"data": {"path": "**", "header": False}}
    assert (guess.target.column, guess.document["task"]) == ("column_5", "classification")
    assert (found["column_2"], found["column_3"], found["column_6"]) == ("text", "id", "group")
    assert guess.document["split"]["group"] == "column_6"
    assert yaml.safe_load(render(guess)) == guess.document


def test_of_many_columns_only_those_that_may_be_lines_are_looked_at_closely() -> None:
    """Rows of 300 groups, shuffled: the first groups are judged whole, with a gap here and there."""
    source = random.Random(6)
    groups = pandas.Series([f"g{source.randrange(300)}" for _ in range(6000)])
    answer = pandas.Series(numbers(6000, 2))
    slope = groups.map({f"g{number}": source.uniform(0.5, 2) for number in range(300)})
    table = pandas.DataFrame({f"noise{number}": numbers(6000, 10 + number) for number in range(20)})
    table["line"] = (answer * slope + slope).where(pandas.Series(range(6000)) % 7 != 0)
    assert relations._candidates(table, answer, groups.where(answer > 5)) == ["line"]


def test_an_index_against_the_days_own_base_is_a_leak(write: Write) -> None:
    """A straight line of the answer within each day, another each day; its sibling by name with it."""
    source = random.Random(5)
    days = [f"2020-01-{1 + number // 20:02d}" for number in range(400)]
    base = {day: source.uniform(2, 6) for day in sorted(set(days))}
    price = [round(base[day] * source.uniform(0.4, 2), 4) for day in days]
    index = [round(value / base[day] - 1, 6) for value, day in zip(price, days, strict=True)]
    noisy = [round(value * source.uniform(0.8, 1.2), 4) for value in price]
    guess = infer(
        write(day=days, usd_raw=index, usd_adjusted=numbers(400, 1), rate=noisy, price=price), target="price"
    )
    assert types(guess) == {
        "day": "date", "usd_raw": "ignore", "usd_adjusted": "ignore", "rate": "number", "price": "label",
    }  # fmt: skip
    assert "within each day it is a straight line of price" in guess.columns["usd_raw"].why


def test_a_target_that_spreads_over_decades_is_learnt_as_a_logarithm(write: Write) -> None:
    """And judged by the mean error, which a few huge answers do not make up alone."""
    source = random.Random(6)
    wide = [round(10 ** source.gauss(0, 0.9), 3) for _ in range(300)]
    document = infer(write(size=numbers(300, 1), target=wide)).document
    assert document["learner"]["hyperparameters"] == {"target_transform": "log1p"}
    assert document["gate"]["metric"] == "mae"
    assert (
        "hyperparameters"
        not in infer(write(size=numbers(300, 1), target=numbers(300, 2))).document["learner"]
    )


def test_a_price_that_is_a_quotient() -> None:
    """dollar_price = local_price / dollar_ex: of three prices the comparable one is the answer, by itself."""
    guess = infer(real("big_mac_full_index.csv"))
    found = types(guess)
    assert guess.target.column == "dollar_price"
    assert {found[name] for name in found if name.endswith(("_raw", "_adjusted"))} == {"ignore"}
    assert found["local_price"] == found["dollar_ex"] == "ignore"
    assert found["date"] == "date"
    assert found["GDP_bigmac"] == "number"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("breast_cancer", "classification"),
        ("iris", "classification"),
        ("wine", "classification"),
        ("diabetes", "regression"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_scikit_learns_own_sets(tmp_path: Path, name: str, task: str, named: bool) -> None:
    """Every measurement is a number and nothing is left out, whether classes are words or codes."""
    bunch = getattr(datasets, f"load_{name}")(as_frame=True)
    frame = bunch.frame.copy()
    if named and task == "classification":
        frame["target"] = [str(bunch.target_names[code]) for code in frame["target"]]
    path = tmp_path / f"{name}.csv"
    frame.to_csv(path, index=False)
    guess = infer(path)
    found = types(guess)
    assert (found.pop("target"), guess.document["task"]) == ("label", task)
    assert set(found.values()) == {"number"}


def test_every_guess_is_a_valid_spec_and_its_yaml_says_the_same(write: Write) -> None:
    """Column names that YAML would read as something else among them."""
    path = write(
        **{
            "no": numbers(60, 1),
            "1": numbers(60, 2),
            "a: b # c": ["x", "y"] * 30,
            "'quoted'": numbers(60, 3),
            "übermäßig": numbers(60, 4),
            "y": ["yes", "no", "no"] * 20,
        }
    )
    guess = infer(path)
    jsonschema.validate(guess.document, SCHEMA)
    assert yaml.safe_load(render(guess)) == guess.document
    assert guess.target.column == "y"


def test_ids_by_their_looks_and_by_their_names(write: Write) -> None:
    """Unique codes, running numbers and near-unique numbers called an id; a unique measurement is none."""
    order = random.Random(7).sample(range(1, 201), 200)
    guess = infer(
        write(
            code=[f"C{number:05d}" for number in range(200)],
            row=order,
            customerId=[1_000_000 + 37 * number for number in range(200)],
            salary=[30_000 + 101 * number for number in order],
            outcome=["a", "b"] * 100,
        )
    )
    assert types(guess) == {
        "code": "id",
        "row": "id",
        "customerId": "id",
        "salary": "number",
        "outcome": "label",
    }


def test_things_seen_several_times_are_kept_together(write: Write) -> None:
    """The same patient on both sides of a split would be recognised, not judged."""
    guess = infer(
        write(patient_id=[n % 60 for n in range(300)], age=numbers(300, 1), label=["s", "h", "h"] * 100)
    )
    assert types(guess)["patient_id"] == "group"
    assert guess.document["split"]["group"] == "patient_id"


def test_dates_with_their_format(write: Write) -> None:
    """31-12 settles which is the day; where nothing does, the comment says so."""
    guess = infer(
        write(
            day=["31-12-2021", "01-02-2022", "15-03-2022"] * 20,
            open=["01/02/2021", "03/04/2021", "05/06/2021"] * 20,
            amount=numbers(60, 1),
            target=["a", "b"] * 30,
        )
    )
    assert guess.document["columns"]["day"] == {"type": "date", "format": "%d-%m-%Y"}
    assert guess.document["columns"]["open"]["type"] == "date"
    assert "check which is the day" in guess.columns["open"].why


def test_empty_and_constant_columns_are_left_out(write: Write) -> None:
    """There is nothing in them."""
    found = types(infer(write(empty=[""] * 60, same=["x"] * 60, age=numbers(60, 1), target=["a", "b"] * 30)))
    assert (found["empty"], found["same"]) == ("ignore", "ignore")


def test_a_copy_of_a_number_is_a_leak(write: Write) -> None:
    """With a little noise too."""
    price = numbers(200, 1)
    copy = [value + noise / 5000 for value, noise in zip(price, numbers(200, 2), strict=True)]
    guess = infer(write(size=numbers(200, 3), gross=copy, price=price))
    assert guess.target.column == "price"
    assert types(guess)["gross"] == "ignore"
    assert "nearly equal to price" in guess.columns["gross"].why


def test_a_code_of_the_class_is_a_leak(write: Write) -> None:
    """alive says the same as survived."""
    survived = [random.Random(number).randrange(2) for number in range(300)]
    guess = infer(
        write(age=numbers(300, 1), alive=["yes" if one else "no" for one in survived], survived=survived)
    )
    assert types(guess) == {"age": "number", "alive": "ignore", "survived": "label"}


def test_a_good_feature_is_no_leak(write: Write) -> None:
    """Correlated is not equal, and an exact formula with other weights may be an exercise."""
    size = numbers(300, 1)
    noisy = [3 * value + noise for value, noise in zip(size, numbers(300, 2), strict=True)]
    assert types(infer(write(size=size, rooms=numbers(300, 3), price=noisy)))["size"] == "number"
    exact = [3 * value + 2 for value in size]
    assert types(infer(write(size=size, rooms=numbers(300, 3), price=exact)))["size"] == "number"


def test_when_everything_leaks_nothing_is_left_out(write: Write) -> None:
    """A sum of all columns is what somebody wants to learn, or an exercise."""
    one, two = numbers(200, 1), numbers(200, 2)
    guess = infer(write(one=one, two=two, target=[a + b for a, b in zip(one, two, strict=True)]))
    assert set(types(guess).values()) == {"number", "label"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x00\x01\x02,\x03\n", "binary"),
        (b"", "empty"),
        (b"a,b\n", "no rows"),
        (b"only\n1\n2\n", "one column"),
        ("näme,b\n1,2\n".encode("latin-1"), "UTF-8"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str) -> None:
    """Each says what is wrong and what to do."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(PenstockError, match=said) as refused:
        infer(path)
    assert refused.value.do_next


def test_a_file_of_texts_alone_is_for_word_vectors(write: Write) -> None:
    """Nothing is to be predicted; the spec is the product's."""
    draw = random.Random(3)
    said = [" ".join(draw.choices(WORDS, k=12)) for _ in range(200)]
    guess = infer(write("said.csv", said=said))
    assert guess.document["task"] == "embeddings"
    assert guess.document["columns"] == {"said": "text"}
    assert guess.document["learner"]["name"] == "word_vectors"
    jsonschema.validate(guess.document, SCHEMA)
    assert yaml.safe_load(render(guess)) == guess.document


def test_one_long_line_is_to_be_cut_first(tmp_path: Path) -> None:
    """Nothing of a single text could be held out."""
    path = tmp_path / "text8"
    path.write_text("anarchism originated as a term of abuse " * 2000, encoding="utf-8")
    with pytest.raises(PenstockError, match="more than 10,000 characters") as refused:
        infer(path)
    assert "fold -s -w 1000" in refused.value.do_next


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(PenstockError, match="no such file"):
        infer(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("colour", "no column 'colour'"),
        ("name > 3", "words, not numbers"),
        ("name", "neither classes nor numbers"),
    ],
)
def test_a_target_that_cannot_be_is_refused(write: Write, asked: str, said: str) -> None:
    """With the columns there are, or another way."""
    path = write(name=[f"n {number}" for number in range(300)], size=numbers(300, 1), last=numbers(300, 2))
    with pytest.raises(PenstockError, match=said):
        infer(path, target=asked)


@pytest.mark.parametrize("name", ["Churn", "1st", "a", "a--b", "ends-", "x" * 25])
def test_a_project_name_that_does_not_fit_is_refused(write: Write, name: str) -> None:
    """The name becomes part of AWS names with limits of their own."""
    with pytest.raises(PenstockError, match="does not fit"):
        infer(write(a=numbers(60, 1), y=["n", "p"] * 30), project=name)


@pytest.mark.parametrize(
    "name", ["2024 Sales (final).csv", "___.csv", "Ünïcode--data.csv", "y" * 60 + ".csv"]
)
def test_a_project_name_is_made_from_any_file_name(write: Write, name: str) -> None:
    """And always fits."""
    guess = infer(write(name, a=numbers(60, 1), y=["n", "p"] * 30))
    jsonschema.validate(guess.document, SCHEMA)


def test_separators_gzip_parquet_and_hostile_paths(tmp_path: Path) -> None:
    """Semicolons, tabs; a quote in the path stays a quote."""
    rows = "a;b;label\n" + "".join(f"{n};{n * n};{'xy'[n % 2]}\n" for n in range(60))
    (tmp_path / "it's semi.csv").write_text(rows, encoding="utf-8")
    (tmp_path / "tab.tsv").write_text(rows.replace(";", "\t"), encoding="utf-8")
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(rows.encode()))
    pandas.read_csv(tmp_path / "it's semi.csv", sep=";").to_parquet(tmp_path / "table.parquet")
    for path in tmp_path.iterdir():
        assert types(infer(path)) == {"a": "id", "b": "number", "label": "label"}, path.name


def test_a_big_file_is_sampled(write: Write) -> None:
    """Evenly, repeatably, and the spec says so."""
    path = write(a=list(range(3000)), y=["first"] * 2000 + ["second"] * 1000)
    one, other = sample.read(path, limit=500), sample.read(path, limit=500)
    assert (one.rows, one.total_rows, one.is_everything) == (500, 3000, False)
    assert one.frame.equals(other.frame)
    assert set(one.frame["y"]) == {"first", "second"}


def test_few_rows_hold_back_more_and_ask_for_fewer(write: Write) -> None:
    """Thirty rows are data too, with a warning."""
    guess = infer(write(a=numbers(30, 1), b=numbers(30, 2), y=["n", "p"] * 15))
    assert guess.document["min_rows"] == 15
    assert guess.document["split"]["test"] == 0.3
    assert any("Only 30 rows" in note for note in guess.notes)
