"""Answers come in the order of the questions whatever order they were given in, and a bounded number is held."""

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.transform.files import Window


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4), st.integers(1, 6), st.lists(st.integers(0, 30), min_size=1, max_size=4), st.randoms()
)
def test_answers_keep_the_order(threads: int, places: int, sizes: list[int], chance: random.Random) -> None:
    """Several files at once share the threads and the places."""
    slow = {(file, n) for file, size in enumerate(sizes) for n in range(size) if chance.random() < 0.2}
    held, most, lock = 0, 0, threading.Lock()
    turn = threading.Event()

    def ask(thing: tuple[int, int]) -> tuple[int, int]:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        if thing in slow:
            turn.wait(0.001)
        with lock:
            held -= 1
        return thing

    with ThreadPoolExecutor(threads) as asking, ThreadPoolExecutor(len(sizes)) as files:
        window = Window(asking, places)
        read = [
            files.submit(
                lambda file, size: list(window.each([(file, n) for n in range(size)], ask)), file, size
            )
            for file, size in enumerate(sizes)
        ]
        for file, size in enumerate(sizes):
            things = [(file, n) for n in range(size)]
            assert read[file].result(20) == list(zip(things, things, strict=True))
    assert most <= min(threads, places)


def test_places_come_back_from_a_file_that_fails() -> None:
    def ask(number: int) -> int:
        if number == 2:
            raise ZeroDivisionError
        return number

    with ThreadPoolExecutor(2) as asking:
        window = Window(asking, 2)
        for _ in range(5):
            with pytest.raises(ZeroDivisionError), contextlib.closing(window.each(range(9), ask)) as answers:
                list(answers)
        assert [answer for _, answer in window.each([0, 1], ask)] == [0, 1]
