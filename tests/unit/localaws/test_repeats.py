"""One call, however many attempts: carried out once, unless we failed."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.sagemaker import repeats
from penstock.localaws.sagemaker.repeats import Repeats, Response

HEADERS = {"amz-sdk-invocation-id": "one"}


def said(status: int, text: str) -> Response:
    return status, {}, text.encode()


@given(st.lists(st.sampled_from("abcde"), max_size=30))
def test_each_call_is_carried_out_once(calls: list[str]) -> None:
    done: list[str] = []
    kept = Repeats()

    def carry_out(call: str) -> Response:
        done.append(call)
        return said(200, f"{call}{len(done)}")

    answers = [(call, kept.once(call, lambda call=call: carry_out(call))) for call in calls]
    assert sorted(done) == sorted(set(calls))
    assert len({answer[2] for _, answer in answers}) == len(set(calls))


def test_a_refusal_is_kept_and_a_failure_of_ours_is_not() -> None:
    kept = Repeats()
    assert kept.once("a", lambda: said(400, "no"))[2] == b"no"
    assert kept.once("a", lambda: said(200, "yes"))[2] == b"no"
    assert kept.once("b", lambda: said(500, "oops"))[2] == b"oops"
    assert kept.once("b", lambda: said(200, "yes"))[2] == b"yes"


def test_an_attempt_waits_for_the_one_under_way() -> None:
    kept, go, entered = Repeats(), threading.Event(), threading.Event()

    def slow() -> Response:
        entered.set()
        go.wait(10)
        return said(200, "first")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.once, "a", slow)
        entered.wait(10)
        second = threads.submit(kept.once, "a", lambda: said(200, "second"))
        go.set()
        assert {first.result()[2], second.result()[2]} == {b"first"}


def test_only_so_many_answers_are_kept() -> None:
    kept = Repeats(kept=2)
    for call in "abc":
        kept.once(call, lambda: said(200, "old"))
    assert kept.once("a", lambda: said(200, "new"))[2] == b"new"
    assert kept.once("c", lambda: said(200, "new"))[2] == b"old"


def test_what_tells_calls_apart() -> None:
    mine = repeats.key("CreateModel", HEADERS, b"{}")
    assert mine == repeats.key("CreateModel", {**HEADERS, "amz-sdk-request": "attempt=2"}, b"{}")
    assert mine != repeats.key("CreateModel", HEADERS, b"{ }")
    assert mine != repeats.key("DeleteModel", HEADERS, b"{}")
    assert mine != repeats.key("CreateModel", {"amz-sdk-invocation-id": "two"}, b"{}")
    assert repeats.key("DescribeModel", HEADERS, b"{}") is None
    assert repeats.key("CreateModel", {}, b"{}") is None
