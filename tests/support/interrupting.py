"""Interrupt the sending of mail again and again, at random: `python -m tests.support.interrupting`.

    python -m tests.support.interrupting KIND COUNT PORT [SEED]

sends to the server at PORT of 127.0.0.1, is interrupted COUNT times in the way KIND, and prints
what the pool has lost by that: "0 lost". It fails if a slot is lost, or a thread waits in vain.
"""

import ctypes
import gc
import json
import random
import signal
import sys
import threading
import time
from contextlib import suppress

HOST = "127.0.0.1"
POOL_SIZE = 2


class Limit(Exception):
    """As a job's time limit that is a plain exception."""


class AsyncLimit(Exception):
    """What is raised in a thread from without, as RQ and others do it."""


def make_pool(port):
    from django_mailers.smtp import Pool, PoolOptions, Server

    # check_after=0: each use begins with a NOOP, so that more time is spent in the pool.
    options = PoolOptions(
        POOL_SIZE, max_messages=7, check_after=0, max_idle=0.05, acquire_timeout=9
    )
    return Pool(Server(HOST, port, timeout=9), options)


def use(pool, chance):
    """Send in one of the ways there are."""
    from django_mailers.smtp import Envelope, Lease, deliver

    from .pools import borrowed, send_one

    message = Envelope("ada@example.com", ["bob@example.com"], b"Hello\r\n")
    way = chance.randrange(5)
    if way == 0:
        with borrowed(pool) as session:
            session.noop()
    elif way == 1:
        with Lease(pool) as lease:
            lease.open()
            lease.deliver([message] * 3)
    elif way == 2:
        deliver(pool, [message] * 4, parallel=2)
    else:
        send_one(pool, message)


def lost(pool):
    """Return how many slots are taken though nobody has a session; the others can be had."""
    deadline = time.monotonic() + 5
    while pool.stats()["waiting"] and time.monotonic() < deadline:
        time.sleep(0.01)
    gc.collect()
    taken = pool.stats()["busy"]
    sessions = []

    def acquire():
        from django_mailers.smtp import PoolTimeout

        for _ in range(10):
            try:
                sessions.append(pool.acquire())
                break
            except PoolTimeout:
                raise
            except OSError:
                continue  # The server is late, on a busy machine.

    threads = [threading.Thread(target=acquire) for _ in range(POOL_SIZE - taken)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for session, _ in sessions:
        pool.release(session)
    pool.close()
    return POOL_SIZE - len(sessions)


def by_signal(pool, count, chance, kind):
    """Interrupt the main thread by a timer, while another uses the pool, too."""
    armed = False

    def handle(*args):
        nonlocal armed
        if armed:
            armed = False
            raise kind

    signal.signal(signal.SIGALRM, handle)
    stop = threading.Event()
    others = random.Random(1)

    def keep_using():
        while not stop.wait(0.0005):
            with suppress(OSError):  # On a busy machine, the server may take its time.
                use(pool, others)

    threads = [threading.Thread(target=keep_using) for _ in range(POOL_SIZE - 1)]
    for thread in threads:
        thread.start()
    interrupted = 0

    # A function: Python 3.13.0 forgets the `except` around the end of a loop.
    def use_until_interrupted():
        # Python 3.10 overlooks a signal now and then, until the next one comes.
        overlooked = time.monotonic() + 1
        while armed and time.monotonic() < overlooked:
            use(pool, chance)

    while interrupted < count:
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, 0.001))
            use_until_interrupted()
        except kind:
            interrupted += 1
        finally:
            armed = False
    stop.set()
    for thread in threads:
        thread.join()


def in_threads(pool, count, chance):
    """Interrupt threads by PyThreadState_SetAsyncExc()."""
    stop = threading.Event()

    def keep_using(seed):
        mine = random.Random(seed)
        while not stop.is_set():
            with suppress(AsyncLimit):
                while not stop.is_set():
                    use(pool, mine)

    def start(number):
        thread = threading.Thread(target=keep_using, args=[number])
        thread.start()
        return thread

    # One that is interrupted outside of the suppress() is at its end.
    threading.excepthook = lambda args: None
    threads = [start(number) for number in range(3)]
    for number in range(count):
        time.sleep(chance.uniform(0, 0.003))
        index = number % len(threads)
        if not threads[index].is_alive():
            threads[index] = start(number)
        ident = ctypes.c_ulong(threads[index].ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(AsyncLimit))
    stop.set()
    for thread in threads:
        thread.join()


def in_greenlets(pool, count, chance, spawn, timeout, wait):
    """Interrupt greenlets by the timeouts of gevent or eventlet."""
    left = iter(range(count))

    def keep_using(seed):
        mine = random.Random(seed)
        for _ in left:
            interrupted = False
            while not interrupted:
                try:
                    with timeout(mine.uniform(0.0001, 0.01)):
                        while True:
                            use(pool, mine)
                except timeout:
                    interrupted = True

    wait([spawn(keep_using, number) for number in range(2 * POOL_SIZE)])


def main():
    kind, count, port = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    chance = random.Random(int(sys.argv[4]) if sys.argv[4:] else 0)
    # What is raised while something is collected cannot go out.
    sys.unraisablehook = lambda unraisable: None
    if kind == "gevent":
        from gevent import Timeout, joinall, monkey, spawn

        monkey.patch_all()
    elif kind == "eventlet":
        import eventlet
        from eventlet import Timeout, spawn

        eventlet.monkey_patch()
    pool = make_pool(port)
    # First in peace: an import that is interrupted may fail for ever, as of a codec.
    for _ in range(20):
        use(pool, chance)
    if kind == "exception":
        by_signal(pool, count, chance, Limit)
    elif kind == "keyboard":
        by_signal(pool, count, chance, KeyboardInterrupt)
    elif kind == "async":
        in_threads(pool, count, chance)
    elif kind == "gevent":
        in_greenlets(pool, count, chance, spawn, Timeout, joinall)
    else:
        wait = lambda threads: [thread.wait() for thread in threads]  # noqa: E731
        in_greenlets(pool, count, chance, spawn, Timeout, wait)
    number = lost(pool)
    print(json.dumps(pool.stats()), file=sys.stderr)
    print(f"{number} lost")
    sys.exit(number)


if __name__ == "__main__":
    main()
