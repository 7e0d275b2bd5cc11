"""Documents survive, and change together or not at all."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.localaws.sagemaker.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "a dir" / "store.sqlite")
    yield opened
    opened.close()


def test_a_document_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path / "s")
    first.put("job", "ä", {"n": 1.5})
    second = Store(tmp_path / "s")  # the first is not closed, as after kill -9
    assert second.get("job", "ä") == {"n": 1.5}
    first.close()
    second.close()


def test_create_writes_once(store: Store) -> None:
    assert [store.create("job", "a", {"n": n}) for n in (1, 2)] == [True, False]
    assert store.get("job", "a") == {"n": 1}


def test_a_failing_transaction_leaves_nothing(store: Store) -> None:
    def half_done() -> None:
        with store.transaction():
            store.put("job", "a", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    assert store.all("job") == []


def test_updates_from_many_threads_are_all_there(store: Store) -> None:
    store.put("counter", "c", {"n": 0})

    def count() -> None:
        for _ in range(20):
            store.update("counter", "c", lambda d: {"n": d["n"] + 1})

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("counter", "c") == {"n": 80}


def test_delete_says_whether_there_was_one(store: Store) -> None:
    store.put("job", "a", {})
    assert [store.delete("job", "a"), store.delete("job", "a")] == [True, False]
    assert store.update("job", "a", lambda d: d) is None
