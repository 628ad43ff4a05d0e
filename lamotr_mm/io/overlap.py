"""Reading ahead and writing behind, each in one thread of its own, with bounded memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

DEPTH = 3  # items in hand: enough for a frame that takes longer than the others

Item = TypeVar('Item')


def read_ahead(items: Iterable[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """The same items in the same order, made in a thread while the caller works on earlier ones.

    An exception comes where it would come without the thread, after the items before it. Close the
    generator (``contextlib.closing``) where the loop may end early: that waits for the item which
    is being made.

    Args:
        items: iterated in the thread alone.
        depth: most items that are made and not yet asked for, 1 or more.
    """
    source, end = iter(items), object()
    pool = ThreadPoolExecutor(1, 'read-ahead')
    try:
        ahead = deque(pool.submit(next, source, end) for _ in range(depth))
        while True:
            item: Any = ahead.popleft().result()
            if item is end:
                return
            ahead.append(pool.submit(next, source, end))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)


class WriteBehind:
    """Calls a function in a thread, in order, while the caller prepares what comes next. A context
    manager: it leaves when everything is written, or, after an exception, when the call that runs
    has ended; the calls that wait are dropped.

    Args:
        write: runs in the thread alone.
        depth: most calls that wait or run, 1 or more; :meth:`put` waits while there are as many.
    """

    def __init__(self, write: Callable[..., object], depth: int = DEPTH) -> None:
        self._write = write
        self._depth = depth
        self._calls: deque[Future] = deque()
        self._pool = ThreadPoolExecutor(1, 'write-behind')

    def put(self, *args: Any) -> None:
        """Write this after everything before it.

        Raises:
            Exception: what an earlier call raised.
        """
        while self._calls and (self._calls[0].done() or len(self._calls) >= self._depth):
            self._calls.popleft().result()
        self._calls.append(self._pool.submit(self._write, *args))

    def __enter__(self) -> 'WriteBehind':
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                for call in self._calls:
                    call.result()
        finally:
            self._pool.shutdown(cancel_futures=True)
