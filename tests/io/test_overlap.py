"""Reading ahead and writing behind: order, bounds, and where exceptions come out."""

import threading
from contextlib import closing

import pytest

from lamotr_mm.io.overlap import WriteBehind, read_ahead


def workers() -> list[str]:
    """Threads of ours that are left."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(('read-ahead', 'write-behind'))]


def test_items_come_in_order_from_one_other_thread():
    threads = []

    def source():
        for number in range(20):
            threads.append(threading.current_thread())
            yield number

    assert list(read_ahead(source())) == list(range(20))
    assert len(set(threads)) == 1
    assert threads[0] is not threading.current_thread()
    assert not workers()


def test_nothing_is_nothing():
    assert list(read_ahead([])) == []


@pytest.mark.parametrize('depth', [1, 3])
def test_reads_ahead_so_far_and_no_further(depth):
    asked, made, so_far = 0, 0, threading.Event()

    def source():
        nonlocal made
        for number in range(8):
            made += 1
            assert made <= asked + depth
            if made == 1 + depth:
                so_far.set()
            yield number

    with closing(read_ahead(source(), depth)) as items:
        asked = 1
        assert next(items) == 0
        assert so_far.wait(10), 'the thread waits to be asked'
        for expected in range(1, 8):
            asked += 1
            assert next(items) == expected
        assert next(items, None) is None


def test_an_exception_comes_after_the_items_before_it():
    def source():
        yield from (1, 2)
        raise OSError('the disk is gone')

    seen = []
    with pytest.raises(OSError, match='the disk is gone'):
        for item in read_ahead(source(), 4):
            seen.append(item)
    assert seen == [1, 2]
    assert not workers()


def test_a_loop_that_ends_early_ends_the_thread():
    with closing(read_ahead(iter(int, 1))) as items:  # zeros for ever
        assert next(items) == 0
        assert workers()
    assert not workers()


def test_calls_come_in_order_from_one_other_thread():
    calls = []
    with WriteBehind(lambda *args: calls.append((args, threading.current_thread()))) as behind:
        for number in range(20):
            behind.put(number, -number)
    assert [args for args, _ in calls] == [(number, -number) for number in range(20)]
    threads = {thread for _, thread in calls}
    assert len(threads) == 1 and threading.current_thread() not in threads
    assert not workers()


def test_put_waits_while_there_is_too_much():
    written, gate = [], threading.Event()

    def write(number):
        assert gate.wait(10)
        written.append(number)

    with WriteBehind(write, depth=2) as behind:
        behind.put(0)
        behind.put(1)
        assert not written
        opens = threading.Timer(0.2, gate.set)
        opens.start()
        behind.put(2)
        assert written, 'three calls wait'
        opens.join()
    assert written == [0, 1, 2]


@pytest.mark.parametrize('calls', [1, 30])
def test_an_exception_of_a_call_reaches_the_caller(calls):
    """At the next `put`, at the latest on leaving."""

    def write(number):
        if number == 0:
            raise OSError('no space left')

    put = []
    with pytest.raises(OSError, match='no space left'), WriteBehind(write, depth=3) as behind:
        for number in range(calls):
            behind.put(number)
            put.append(number)
    assert len(put) <= 3
    assert not workers()


def test_after_an_exception_the_calls_that_wait_are_dropped():
    written, entered, gate = [], threading.Event(), threading.Event()

    def write(number):
        entered.set()
        assert gate.wait(10)
        written.append(number)

    with pytest.raises(KeyboardInterrupt), WriteBehind(write, depth=3) as behind:
        for number in range(3):
            behind.put(number)
        assert entered.wait(10)
        threading.Timer(0.2, gate.set).start()
        raise KeyboardInterrupt
    assert written == [0], 'the one that ran has ended, no other has begun'
    assert not workers()
