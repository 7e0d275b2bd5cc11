"""Bad and odd files as people really drop them, each with what must become of it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import sqlite3
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = {
    "id": "id",
    "size": "number",
    "colour": {"type": "category", "required": True},
    "note": "text",
    "kind": "label",
}
SPEC: dict[str, Any] = {
    "project": "corpus", "task": "classification", "columns": COLUMNS, "labels": ["a", "b"], "min_rows": 5,
    "limits": {"max_object_mb": 12, "max_unpacked_mb": 100, "max_rows": 200_000, "max_columns": 40},
}  # fmt: skip
HEADER = "id,size,colour,note,kind\n"


@dataclass(frozen=True)
class Case:
    """A file: its rows that must be good, refused and unlabelled, or the words of its refusal, and a note."""

    name: str
    body: bytes
    good: int = 0
    bad: int = 0
    unlabelled: int = 0
    refusal: str | None = None
    note: str = ""


def rows(count: int, note: str = "fine") -> list[tuple[Any, ...]]:
    """Good rows."""
    return [(f"k{place}", place / 2, "red", note, "ab"[place % 2]) for place in range(count)]


def text(
    count: int = 6, delimiter: str = ",", end: str = "\n", header: str = HEADER, note: str = "fine"
) -> str:
    """A table of good rows as delimited text."""
    lines = [header.strip().replace(",", delimiter)] if header else []
    lines += [delimiter.join(map(str, row)) for row in rows(count, note)]
    return end.join([*lines, ""])


def objects(count: int = 6) -> list[dict[str, Any]]:
    """The same rows as objects."""
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows(count)]


def json_lines(found: Sequence[Any]) -> bytes:
    """One object a line."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found).encode()


def parquet(found: Sequence[dict[str, Any]], **options: Any) -> bytes:
    """Rows as Parquet."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(found)), file, **options)
    return file.getvalue()


def zstd(body: bytes) -> bytes:
    """Packed."""
    packed: bytes = pa.compress(body, "zstd", asbytes=True)
    return packed


def zipped(name: str, body: bytes) -> bytes:
    """A ZIP archive of one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, body)
    return file.getvalue()


def tarred(kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar archive of one file, or of one link."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        entry = tarfile.TarInfo("../../etc/cron.d/x")
        entry.type, entry.linkname = kind, "/etc/passwd"
        archive.addfile(entry, io.BytesIO())
    return file.getvalue()


def database() -> bytes:
    """An SQLite database."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE t (id, kind)")
    return connection.serialize()


def quoted(*cells: str) -> str:
    """A line of quoted cells."""
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells) + "\n"


def delimited() -> list[Case]:
    """Delimited text that is read."""
    plain = text()
    words, many = "ab,cd;ef|gh\tij", ",".join(f"c{place}" for place in range(34))
    return [
        Case("plain.csv", plain.encode(), 6),
        Case("no ending", plain.encode(), 6),
        Case("semicolons.csv", text(delimiter=";").encode(), 6),
        Case("tabs.tsv", text(delimiter="\t").encode(), 6),
        Case("pipes.psv", text(delimiter="|").encode(), 6),
        Case("commas.tsv", plain.encode(), 6, note="its name says .tsv, its bytes are delimited text with commas"),
        Case("csv.jsonl", plain.encode(), 6, note="its name says .jsonl"),
        Case("csv.parquet", plain.encode(), 6, note="its name says .parquet"),
        Case("not packed.csv.gz", plain.encode(), 6, note="its name says gzip, its bytes are not packed"),
        Case("packed.csv", gzip.compress(plain.encode()), 6, note="it is packed with gzip"),
        Case("zstd.csv.gz", zstd(plain.encode()), 6, note="its name says gzip, its bytes are zstd"),
        Case("gzip.csv.gz", gzip.compress(plain.encode()), 6),
        Case("zstd.csv.zst", zstd(plain.encode()), 6),
        Case("two members.csv.gz", gzip.compress(plain.encode()) + gzip.compress(text(3, header="").encode()), 9),
        Case("mark.csv", b"\xef\xbb\xbf" + plain.encode(), 6),
        Case("crlf.csv", text(end="\r\n").encode(), 6),
        Case("cr.csv", text(end="\r").encode(), 6),
        Case("no last line end.csv", plain.encode().rstrip(), 6),
        Case("blank lines.csv", b"\n\r\n" + plain.replace("\n", "\n\n").encode() + b"\n\n", 6),
        Case("spaces alone.csv", plain.encode() + b"   \n", 6, 1),
        Case("utf-16.csv", plain.encode("utf-16"), 6, note="its text is UTF-16 (little-endian)"),
        Case("utf-16-be mark.csv", b"\xfe\xff" + plain.encode("utf-16-be"), 6, note="its text is UTF-16 (big-endian)"),
        Case("utf-16-le.csv", plain.encode("utf-16-le"), 6, note="without a mark"),
        Case("utf-16-be.tsv", text(delimiter="\t").encode("utf-16-be"), 6, note="without a mark"),
        Case("latin-1.csv", text(note="caf\u00e9").encode("latin-1"), 6, note="is Windows-1252 (Latin-1): line 2"),
        Case("cp1252.csv.gz", gzip.compress(text(note="\u201c5 \u20ac\u201d").encode("cp1252")), 6, note="Windows"),
        Case("utf-8.csv", text(note="\u65e5\u672c \U0001f600 caf\u00e9").encode(), 6),
        Case("quoted.csv", (HEADER + quoted("k", "1", "red", words, "a") * 6).encode(), 6),
        Case("line breaks.csv", (HEADER + quoted("k", "1", "red", "x\r\ny\n\nz", "a") * 6).encode(), 6),
        Case("doubled quotes.csv", (HEADER + quoted("k", "1", "red", 'say "hi", "you"', "b") * 6).encode(), 6),
        Case("inches.tsv", text(delimiter="\t", note='5" x 3').encode(), 6),
        Case("lone quote.tsv", text(40, delimiter="\t", note='"open').encode(), 40),
        Case("ragged.csv", (plain + "x,1,red\nx,1,red,n,a,more\n").encode(), 6, 2),
        Case("cut off.csv", plain.encode()[:-9], 5, 1),
        Case("header again.csv", (plain + text(3)).encode(), 9, 1),
        Case("other case.csv", text(header=HEADER.upper()).encode(), 6),
        Case("other order.csv", b"kind,note,extra,colour,size,id\n" + b"a,fine,7,red,1,k\n" * 6, 6),
        Case("no note.csv", b"kind,colour,size,id\n" + b"a,red,1,k\n" * 6, 6),
        Case("no header.csv", text(header="").encode(), 6, note="it has no header line"),
        Case("sep.csv", ("sep=;\r\n" + text(delimiter=";", end="\r\n")).encode(), 6, note="its first line, 'sep=;'"),
        Case("comments.csv", ("# exported\n# by hand\n" + plain).encode(), 6, note="comments above its header"),
        Case("comment below.csv", (plain + "# the end\n").encode(), 6, 1),
        Case("delimiters at the end.csv", plain.replace("\n", ",\n").encode(), 6),
        Case("delimiters below.csv", (HEADER + text(header="").replace("\n", ",\n")).encode(), 6),
        Case("no name.csv", (HEADER.strip() + ",\n" + "k,1,red,n,a,more\n" * 6).encode(), 6),
        Case("wrong values.csv", (plain + "k,many,red,n,a\nk,1,,n,a\nk,1,red,n,c\n,,,,\n").encode(), 6, 4),
        Case("no labels.csv", (plain + "k,1,red,n,\n" * 3).encode(), 6, 0, 3),
        Case("end of file mark.csv", plain.encode() + b"\x1a", 6, 1),
        Case("long cell.csv", (plain + f"k,1,red,{'x' * (3 << 20)},a\n").encode(), 7),
        Case("name in two lines.csv", ('id,"size\n",colour,note," kind"\n' + text(header="")).encode(), 6),
        Case("sp ace+plus%25.csv", plain.encode(), 6),
        Case("\u00fcn\u00efcode \u2603.csv", plain.encode(), 6),
        Case("formula.csv", (plain + "=1+1,1,red,@SUM(A1),a\n").encode(), 7),
        Case("one row.csv", text(1).encode(), 1),
        Case("39 columns.csv", (f"{HEADER.strip()},{many}\n" + f"k,1,red,n,a{',x' * 34}\n" * 6).encode(), 6),
    ]  # fmt: skip


def other_formats() -> list[Case]:
    """JSON lines and Parquet that are read."""
    plain = json_lines(objects())
    nested = [{**one, "note": {"a": [1, None, {"b": "x"}]}, "size": str(one["size"])} for one in objects()]
    changing = [
        {**one, "size": size} for one, size in zip(objects(), [1, 1.5, "2", None, True, [3]], strict=True)
    ]
    raw = [{**one, "note": note} for one, note in zip(objects(3), [b"x", b"\xff", None], strict=True)]
    return [
        Case("plain.jsonl", plain, 6),
        Case("plain.ndjson.gz", gzip.compress(plain), 6),
        Case("plain.json.zst", zstd(plain), 6),
        Case("objects.csv", plain, 6, note="its name says .csv, its bytes are JSON lines"),
        Case("utf-16.jsonl", plain.decode().encode("utf-16"), 6, note="UTF-16"),
        Case("crlf.jsonl", b"\xef\xbb\xbf\r\n" + plain.replace(b"\n", b"\r\n\r\n"), 6),
        Case("cr.jsonl", plain.replace(b"\n", b"\r"), 6),
        Case("nested.jsonl", json_lines(nested), 6),
        Case("changing types.jsonl", json_lines(changing), 4, 2),
        Case("members missing.jsonl", plain + b'{"kind": "a", "colour": "red"}\n{"size": 1}\n', 7, 1),
        Case("a member late.jsonl", plain + b'{"kind": "a", "colour": "red", "late": 1}\n', 7),
        Case("bad lines.jsonl", plain + b'{"id": 1\n[1]\n"x"\nnull\n{"id": 1, "id": 2}\nid,size\n', 6, 6),
        Case("odd characters.jsonl", plain + b'{"id": "\\u0000"}\n{"id": "\\udc00"}\n', 6, 2),
        Case("deep.jsonl", plain + b'{"id": ' + b"[" * 200_000 + b"\n", 6, 1),
        Case("cut off.jsonl", plain[:-9], 5, 1),
        Case("plain.parquet", parquet(objects()), 6),
        Case("zstd inside.pq", parquet(objects(), compression="zstd"), 6),
        Case("packed.parquet.gz", gzip.compress(parquet(objects())), 6),
        Case("parquet.csv", parquet(objects()), 6, note="its name says .csv, its bytes are Parquet"),
        Case("groups.parquet", parquet(objects(), row_group_size=2), 6),
        Case("nested.parquet", parquet([{**one, "note": {"a": [1, 2]}} for one in objects()]), 6),
        Case("bytes.parquet", parquet(raw), 2, 1),
        Case("faults.parquet", parquet([*objects(), {"kind": "c"}]), 6, 1),
    ]  # fmt: skip


def refused() -> list[Case]:
    """Files no row of which can be used."""
    plain, wide = text().encode(), ",".join(f"c{place}" for place in range(60))
    noise = bytes(random.Random(7).choices(range(256), k=5000))
    unlike = "\u043f\u0440\u0438\u0432\u0435\u0442"
    bomb = b"0" * (90 << 20)
    never = HEADER + quoted("k", "1", "red", "n", "a") * 99 + 'k,1,red,n\nk,1,red,n,"a\n' + "k,1,red,n\n" * 5
    cases = [
        ("empty.csv", b"", "the file is empty"),
        ("empty.csv.gz", gzip.compress(b""), "the file holds only blank lines"),
        ("blank.csv", b"\n\r\n\n", "only blank lines"),
        ("mark alone.csv", b"\xef\xbb\xbf", "only blank lines"),
        ("header alone.csv", HEADER.encode(), "a header line and no row below it"),
        ("header twice.csv", (HEADER * 2).encode(), "none of its 1 rows is good: the row repeats the header line"),
        ("no target.csv", plain.replace(b"kind", b"kinds"), "lacks target column 'kind' ('kind' may be 'kinds')"),
        ("no required.csv", plain.replace(b"colour", b"color"), "lacks required column 'colour'"),
        ("twice.csv", plain.replace(b"note", b"Size"), "names 'size' twice"),
        ("ours.csv", plain.replace(b"note", b"_row"), "uses '_row'"),
        ("wide.csv", plain.replace(b"note", wide.encode()), "has 64 columns; limits.max_columns is 40"),
        ("odd name.csv", plain.replace(b"note", b"no\x07te"), "holds control characters"),
        ("long name.csv", plain.replace(b"note", b"n" * 300), "longer than 255 characters"),
        ("all bad.csv", (HEADER + "k,x,red,n,a\n" * 3).encode(), "none of its 3 rows is good: column 'size' is"),
        ("all ragged.csv", (HEADER + "k\n" * 3).encode(), "none of its 3 rows is good: the row has 1 cells"),
        ("title above.csv", b"Report of March,,,,\n" + plain, "lacks target column 'kind'"),
        ("never closed.csv", never.encode(), "a quote opened in row 101 is never closed"),
        ("long row.csv", plain + b'k,1,red,"' + b"x\n" * (5 << 20), "a quote opened in row 7 is never closed"),
        ("longer.csv.gz", gzip.compress(plain + b'k,1,red,"' + b"x\n" * (10 << 20)), "a row is longer than 8 MB: most"),
        ("nul.csv", plain + b"k,\x00,red,n,a\n", "line 8 holds a NUL byte"),
        ("utf-32.csv", text().encode("utf-32"), "is UTF-32 text"),
        ("utf-32-le.csv", text().encode("utf-32-le"), "is UTF-32 text or binary"),
        ("utf-16 cut off.csv", text().encode("utf-16")[:-1], "is UTF-16 (little-endian) text that is damaged"),
        ("two encodings.csv", text(note="\u00e9").encode() + b"k,1,red,\xe9,a\n", "two encodings in one file"),
        ("koi8.csv", text(note=unlike).encode("koi8-r"), "does not look like Windows-1252"),
        ("shift-jis.csv", text(note="\u65e5\u672c\u8a9e\u3067\u3059").encode("shift-jis"), "which is n"),
        ("cut character.csv", plain.rstrip() + b"\xe2\x82", "ends in the middle of a character"),
        ("noise.csv", noise, "line 1 holds the byte"),
        ("excel.csv", zipped("xl/workbook.xml", b"<xml/>"), "is a ZIP archive or an Excel workbook"),
        ("slip.zip", zipped("../../../tmp/slip.csv", plain), "is a ZIP archive"),
        ("old excel.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an old Excel workbook"),
        ("archive.tar", tarred(), "is a tar archive"),
        ("link.tar.gz", gzip.compress(tarred(tarfile.SYMTYPE)), "is a tar archive"),
        ("nested.csv.gz", gzip.compress(gzip.compress(plain)), "is packed twice"),
        ("nested.csv.zst", zstd(gzip.compress(plain)), "is packed twice"),
        ("bomb.csv.gz", gzip.compress(bomb), "unpacks to more than 200 times its size"),
        ("bomb.jsonl.zst", zstd(b'{"id":"' + bomb), "unpacks to more than 200 times its size"),
        ("bomb.csv.bz2", bz2.compress(plain), "is bzip2"),
        ("xz.csv.xz", lzma.compress(plain), "is xz"),
        ("cut off.csv.gz", gzip.compress(plain)[:-9], "is gzip that ends too early"),
        ("cut off.csv.zst", zstd(plain)[:-9], "is zstd that ends too early"),
        ("damaged.csv.gz", gzip.compress(plain)[:20] + noise, "is damaged gzip"),
        ("damaged.csv.zst", zstd(plain)[:20] + noise, "is damaged zstd"),
        ("too large.csv", plain * 110_000, "MB; limits.max_object_mb is 12"),
        ("too many.csv", (HEADER + "k,1,red,n,a\n" * 200_001).encode(), "has more rows than limits.max_rows, 200,000"),
        ("picture.csv", b"\x89PNG\r\n\x1a\n" + noise, "is a picture"),
        ("photo.jpg", b"\xff\xd8\xff\xe0" + noise, "is a picture"),
        ("paper.pdf", b"%PDF-1.7\n" + noise, "is a PDF"),
        ("page.csv", b"\n<!DOCTYPE html>\n<html><body>Log in</body></html>", "is a web page"),
        ("table.xml", b'<?xml version="1.0"?><rows/>', "is XML"),
        ("database.csv", database(), "is an SQLite database"),
        ("object.pkl", pickle.dumps({"id": 1}), "is a Python pickle"),
        ("table.orc", b"ORC\n\x1a\x00" + noise, "line"),
        ("table.avro", b"Obj\x01\x04\x16avro.schema", "is Avro"),
        ("program", b"\x7fELF\x02\x01\x01" + noise, "is a program"),
        ("array.json", json.dumps(objects()).encode(), "is a JSON array"),
        ("array lines.json", json.dumps(objects(), indent=1).encode(), "is a JSON array"),
        ("one object.json", json.dumps(objects()[0], indent=1).encode(), "is JSON, but not one object a line"),
        ("no members.jsonl", b"{}\n{}\n", "has no line that is a JSON object with members"),
        ("no target.jsonl", b'{"id": 1, "size": 2, "colour": "red"}\n', "lacks target column 'kind'"),
        ("many members.jsonl", json_lines([{f"m{place}": 1} for place in range(60)]), "has 41 columns; limits."),
        ("long line.jsonl", json_lines([*objects(), {"id": "x" * (9 << 20)}]), "a line is longer than 8 MB"),
        ("damaged.parquet", b"PAR1" + noise + b"PAR1", "is damaged Parquet"),
        ("cut off.parquet", parquet(objects())[:-4], "is damaged Parquet"),
        ("encrypted.parquet", b"PARE" + noise, "is encrypted Parquet"),
        ("no rows.parquet", parquet(objects(1)[:0] or [{}]), "holds no row"),
        ("no target.parquet", parquet([{"id": 1, "colour": "red"}]), "lacks target column"),
        ("too many.parquet", parquet([{"kind": "a", "colour": "r"}] * 200_001), "has more rows than limits.max_rows"),
    ]  # fmt: skip
    return [Case(name, body, refusal=words) for name, body, words in cases]


def cases() -> list[Case]:
    """All of them."""
    return [*delimited(), *other_formats(), *refused()]
