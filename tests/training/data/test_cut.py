"""Rows taken out of a file: every other byte is as it was, however the file is written and packed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from data import cut, rows, wrapping
from data.dialect import Dialect
from data.files import Source
from data.store import Drop
from data.wrapping import Wrapping

DROP = Drop(0, "b", "drop/p/f.csv", None, "", "0", 1, True)
CELLS = [
    "",
    "a",
    'say "x"',
    "two\nlines",
    "cr\rhere",
    "d,e;f",
    '"',
    '""',
    "  ",
    "ü",
    '5" disk',
    "x\r\ny",
    "NA",
]
ENDS = ["\n", "\r\n", "\r"]


def source(path: Path, delimiter: str, width: int, *, quoting: bool = True) -> Source:
    """How a file is read that has a header line."""
    names = tuple(f"c{place}" for place in range(width))
    look = Dialect(delimiter, quoting, names, 1, 10, 1.0)
    return Source(DROP, str(path), look, names, given=names)


def written(random_: random.Random, delimiter: str, width: int) -> tuple[list[str], str]:
    """Rows as their own text, below a header, with blank lines among them; and the end of a line."""
    end = random_.choice(ENDS)
    parts = [delimiter.join(f"c{place}" for place in range(width)) + end]
    for number in range(random_.randint(1, 40)):
        cells = [f"r{number}", *(random_.choice(CELLS) for _ in range(width - 1))]
        parts.append(delimiter.join(_cell(cell, delimiter, random_) for cell in cells) + end)
        parts += [end] * (random_.random() < 0.1)
    return parts, end


def _cell(text: str, delimiter: str, random_: random.Random) -> str:
    plain = not set(text) & {delimiter, '"', "\n", "\r"}
    return text if plain and random_.random() < 0.7 else '"' + text.replace('"', '""') + '"'


def numbered(parts: list[str]) -> list[int]:
    """The number each part has as a row; 0 for the header and blank lines."""
    numbers, count = [0], 0
    for part in parts[1:]:
        count += bool(part.strip("\r\n"))
        numbers.append(count if part.strip("\r\n") else 0)
    return numbers


@pytest.mark.parametrize("seed", range(150))
def test_the_rest_of_delimited_text_is_byte_for_byte_as_it_was(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    delimiter = chance.choice([",", ";", "\t", "|"])
    width = chance.randint(2, 4)
    parts, end = written(chance, delimiter, width)
    mark = chance.choice(["", "\ufeff"])
    if chance.random() < 0.3:
        parts[-1] = parts[-1].removesuffix(end)
    path, out = tmp_path / "a", tmp_path / "b"
    path.write_bytes((mark + "".join(parts)).encode())
    numbers = numbered(parts)
    count = max(numbers)
    gone = set(chance.sample(range(1, count + 1), chance.randint(1, count)))
    assert cut.text(source(path, delimiter, width), str(path), str(out), gone) == count
    kept = [part for part, number in zip(parts, numbers, strict=True) if number not in gone]
    assert out.read_bytes() == (mark + "".join(kept)).encode()


@pytest.mark.parametrize("seed", range(60))
def test_rows_are_counted_as_prepare_counts_them(tmp_path: Path, seed: int) -> None:
    """The numbers come from Arrow's parser: the cutter must see the same rows, ragged and oddly quoted ones too."""
    chance = random.Random(seed)
    odd = ['x"y', '"x"y', 'a "b" c', '"q, ""z"" ', "plain", '"', "1", '""', '"a\nb"', '"a"b"c']
    lines = [
        ",".join([f"r{n}", *(chance.choice(odd[:5] + odd[6:]) for _ in range(chance.choice((1, 1, 1, 2))))])
        for n in range(30)
    ]
    path, out = tmp_path / "a", tmp_path / "b"
    path.write_bytes(("c0,c1\n" + "\n".join(lines) + "\n").encode())
    read = source(path, ",", 2)

    def cells(name: Path) -> dict[int, tuple[str | None, ...]]:
        found = {}
        for batch in rows.batches(read, str(name), read.header):
            for row in batch.to_pylist():
                found[row["_number"]] = (row["_text"], row["c0"], row["c1"])
        return found

    before = cells(path)
    if 0 in before:  # a quote never closed: the file is not read at all
        return
    gone = set(chance.sample(sorted(before), 3))
    assert cut.text(read, str(path), str(out), gone) == max(before)
    left = [before[number] for number in sorted(before) if number not in gone]
    assert [text for _, text in sorted(cells(out).items())] == left


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("packing", [None, "gzip", "zstd"])
def test_an_object_is_wrapped_as_it_was(tmp_path: Path, codec: str, packing: str | None) -> None:
    text = "who,note\n" + "".join(f"p{n},caf\u00e9 {n}\n" for n in range(5000))
    mark = "\ufeff" if codec.startswith("utf-16") else ""
    plain, packed, back = tmp_path / "plain", tmp_path / "packed", tmp_path / "back"
    plain.write_text(text, encoding="utf-8")
    how = Wrapping(packing, None if codec == "utf-8" else codec, mark.encode(codec))
    wrapping.wrap(str(plain), str(packed), how)
    if packing is None:
        assert packed.read_bytes() == (mark + text).encode(codec)
    found = wrapping.unwrap([packed.read_bytes()], str(back))
    assert (found, back.read_text(encoding="utf-8")) == (how, text)
    again = tmp_path / "again"
    wrapping.wrap(str(back), str(again), found)
    assert again.read_bytes() == packed.read_bytes()
