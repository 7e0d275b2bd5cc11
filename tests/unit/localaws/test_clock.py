"""The plane's clock: time passes by itself or on demand, and waits see both."""

import threading

import pytest

from penstock.localaws.sagemaker.clock import Clock


def test_it_starts_at_the_machines_time_and_moves_by_what_it_is_given() -> None:
    clock = Clock(read=lambda: 100.0)
    assert clock.now() == 100.0
    assert clock.advance(50) == 150.0
    assert clock.now() == 150.0


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        Clock().advance(-1)


def test_a_wait_ends_when_its_time_is_passed_over() -> None:
    clock = Clock(read=lambda: 100.0)  # stands still: only `advance` can end the wait
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(clock.wait(3600)))
    waiting.start()
    clock.advance(1800)
    assert not answers
    clock.advance(1800)
    waiting.join(5)
    assert answers == [False]


def test_a_wait_ends_early_when_it_is_told_to() -> None:
    clock, stop = Clock(read=lambda: 100.0), threading.Event()
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(clock.wait(3600, until=stop.is_set)))
    waiting.start()
    stop.set()
    clock.wake()
    waiting.join(5)
    assert answers == [True]


def test_a_wait_for_what_is_so_already_takes_no_time() -> None:
    assert Clock(read=lambda: 100.0).wait(3600, until=lambda: True)
