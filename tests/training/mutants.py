"""What becomes of a good file on its way: bits flipped, pieces cut out, put in, moved, packed, in another encoding."""

from __future__ import annotations

import gzip

from hypothesis import strategies as st

from tests.training import corpus

GOOD = (
    corpus.text(12)
    + corpus.quoted("k", "1", "red", 'line\nbreak and "quote", caf\u00e9', "a")
    + "k,2,blue,\u201cx\u201d \u20ac,b\n"
).encode()
STRAY = [
    b"\0",
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\xff",
    b"\xe9",
    b"\xef\xbb\xbf",
    b";",
    b"{",
    b"\x1a",
    b"PAR1",
    b"\x1f\x8b",
]
CODECS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "utf-8-sig", "cp500", "utf-7"]
place = st.integers(0, 2 * len(GOOD))


def _flipped(body: bytes, at: int, bit: int) -> bytes:
    at %= max(1, len(body))
    return body[:at] + bytes(byte ^ 1 << bit for byte in body[at : at + 1]) + body[at + 1 :]


def _cut(body: bytes, at: int, length: int) -> bytes:
    return body[: at % (len(body) + 1)] + body[at % (len(body) + 1) + length :]


def _inserted(body: bytes, at: int, stray: bytes) -> bytes:
    at %= len(body) + 1
    return body[:at] + stray + body[at:]


def _recoded(body: bytes, codec: str) -> bytes:
    return body.decode(errors="replace").encode(codec, errors="replace")


step = st.one_of(
    st.builds(lambda at, bit: lambda body: _flipped(body, at, bit), place, st.integers(0, 7)),
    st.builds(lambda at, length: lambda body: _cut(body, at, length), place, place),
    st.builds(
        lambda at, stray: lambda body: _inserted(body, at, stray),
        place,
        st.sampled_from(STRAY) | st.binary(max_size=9),
    ),
    st.builds(lambda codec: lambda body: _recoded(body, codec), st.sampled_from(CODECS)),
    st.sampled_from([gzip.compress, corpus.zstd, lambda body: body * 2, lambda body: body[::-1]]),
)
table = st.sampled_from([GOOD, corpus.json_lines(corpus.objects()), corpus.parquet(corpus.objects())])


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A good file (most often delimited text) after one to four accidents."""
    body = draw(st.just(GOOD) | table)
    for change in draw(st.lists(step, min_size=1, max_size=4)):
        body = change(body)
    return body


anything = st.binary(max_size=2000) | mutants()
