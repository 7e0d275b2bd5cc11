"""A gate is never shut on somebody inside, and nobody comes in while it is shut."""

import threading

from penstock.localaws.sagemaker.gate import Gate


def test_shutting_waits_for_those_inside_and_keeps_the_others_out() -> None:
    gate, inside, leave, shut, reopen = Gate(), *(threading.Event() for _ in range(4))
    seen: list[str] = []

    def first() -> None:
        with gate:
            inside.set()
            leave.wait(10)
            seen.append("first left")

    def shutting() -> None:
        inside.wait(10)
        with gate.shut():
            seen.append("shut")
            shut.set()
            reopen.wait(10)
            seen.append("opened")

    def second() -> None:
        shut.wait(10)
        with gate:
            seen.append("second came")

    threads = [threading.Thread(target=one) for one in (first, shutting, second)]
    for thread in threads:
        thread.start()
    inside.wait(10)
    leave.set()
    shut.wait(10)
    reopen.set()
    for thread in threads:
        thread.join(10)
    assert seen == ["first left", "shut", "opened", "second came"]


def test_many_may_be_inside() -> None:
    gate = Gate()
    with gate, gate:
        pass
    with gate.shut():
        pass
    with gate:
        pass
