"""What is measured: each row is some work, a server, and ways to do the work that are compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from . import HOST, PASSWORD, USER, clients, sending
from .sending import check
from .servers import Server

DJANGO = "django.core.mail.backends.smtp.EmailBackend"
OURS = "django_mailers.backends.smtp.EmailBackend"
THREADS = 8
CROWD = 64


class Target(NamedTuple):
    """Where a way sends to: a port, and the mailer that does it, by its alias and as defined."""

    port: int
    alias: str
    mailer: Mapping[str, Any]


# Sends so many usual messages; returns how many seconds that took.
Work = Callable[[Target, int], float]


class Way(NamedTuple):
    """One way to do the work of a row.

    required  How many times as fast as others of its row it has to be, by their names.
    work      What is done instead of the row's work.
    messages  How many it sends instead of the row's number.
    """

    name: str
    required: Mapping[str, float] = {}
    backend: str = OURS
    options: Mapping[str, Any] = {}
    work: Work | None = None
    messages: int | None = None


class Row(NamedTuple):
    """A row of the table. The client has so many `cores`; the servers have them all.

    package  The distribution that it takes besides, if it takes one.
    """

    name: str
    title: str
    server: Server
    work: Work
    messages: int
    ways: Sequence[Way]
    cores: int = 1
    package: str = ""


def one_by_one(target: Target, count: int) -> float:
    return sending.one_by_one(target.alias, count)


def in_threads(number: int) -> Work:
    """Return work that sends one by one, in threads that begin together and have equal shares."""

    def work(target: Target, count: int) -> float:
        share = max(1, count // number)
        barrier = threading.Barrier(number + 1)
        done = []

        def run() -> None:
            barrier.wait()
            done.append(one_by_one(target, share))

        threads = [threading.Thread(target=run) for _ in range(number)]
        for thread in threads:
            thread.start()
        barrier.wait()
        start = time.perf_counter()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
        check(len(done), number)
        # A share is one message at least.
        return seconds * count / (share * number)

    return work


def on_one_core(work: Work) -> Work:
    """Return `work`, done on one core, as in a container. The servers keep all of them."""

    def run(target: Target, count: int) -> float:
        cores = os.sched_getaffinity(0)
        # Threads that are started meanwhile inherit it.
        os.sched_setaffinity(0, {max(cores)})
        try:
            return work(target, count)
        finally:
            os.sched_setaffinity(0, cores)

    return run


def at_once(target: Target, count: int) -> float:
    return sending.at_once(target.alias, count)


def as_bytes(target: Target, count: int) -> float:
    """Send what is rendered already, by what is below the backend."""
    from django.core.mail import mailers

    from django_mailers.smtp import Envelope, deliver

    content = clients.content()
    envelopes = [
        Envelope("shop@example.com", ["customer@example.com"], content) for _ in range(count)
    ]
    start = time.perf_counter()
    results = deliver(mailers[target.alias].pool, envelopes)
    seconds = time.perf_counter() - start
    check(sum(result.status == "sent" for result in results), count)
    return seconds


def in_new_process(name: str) -> Work:
    """Return work that a new process does: the function of `benchmarks.sending` of that name."""

    def work(target: Target, count: int) -> float:
        return _process("cold", name, str(count), json.dumps(target.mailer))

    return work


def by_a_worker(target: Target, count: int) -> float:
    """Queue the messages; return how long the worker of a task engine takes for them."""
    return _process("background", str(count), json.dumps(target.mailer))


def _process(module: str, *arguments: str) -> float:
    """Run a module of this package, which prints seconds."""
    # With bytecode, as an installed package has it.
    env = {key: os.environ[key] for key in os.environ if key != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.run(
        [sys.executable, "-m", f"{__package__}.{module}", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    )
    return float(child.stdout)


def way(name: str, required: float, **options: Any) -> Way:
    return Way(name, {"Django": required}, options=options)


# By default there would be a new one for every 1,000 messages.
ONE_SESSION = {"max_messages": 1_000_000}
# What all are compared with, but for the clients that are not Django's.
BASE = Way("Django", backend=DJANGO)
# Where Django makes a new connection for each message anyway, fewer of them will do: they take as
# long each, and all of them would take minutes.
SOME = BASE._replace(messages=50)
FEW = BASE._replace(messages=10)
POSTFIX = Server("smtp-sink")
AIOSMTPD = Server("aiosmtpd", login=True)
PIPELINING = Server("sink", ("PIPELINING",), login=True)
# Whether it is used is up to the way, so that one measurement of Django's, which does not, will do.
CHUNKING = Server("sink", ("PIPELINING", "CHUNKING"))
CHUNKING_LOGIN = CHUNKING._replace(login=True)

ROWS = [
    Row(
        "send",
        "send_mail(), plain, in a new process",
        POSTFIX,
        in_new_process("one_by_one"),
        1000,
        [BASE._replace(messages=300), way("PIPELINING", 9.5)],
    ),
    Row(
        "login",
        "send_mail(), STARTTLS + AUTH, aiosmtpd, in a new process",
        AIOSMTPD,
        in_new_process("one_by_one"),
        200,
        [SOME, way("no PIPELINING", 32)],
    ),
    Row(
        "login-pipelining",
        "send_mail(), STARTTLS + AUTH, in a new process",
        PIPELINING,
        in_new_process("one_by_one"),
        200,
        [SOME, way("PIPELINING", 70)],
    ),
    Row(
        "login-20ms",
        "send_mail(), STARTTLS + AUTH, aiosmtpd, RTT 20 ms",
        AIOSMTPD._replace(rtt=0.02),
        one_by_one,
        50,
        [FEW, way("no PIPELINING", 3)],
    ),
    Row(
        "login-pipelining-20ms",
        "send_mail(), STARTTLS + AUTH, RTT 20 ms",
        CHUNKING_LOGIN._replace(rtt=0.02),
        one_by_one,
        50,
        [FEW, way("PIPELINING", 6, chunking=False), way("CHUNKING", 11)],
    ),
    Row(
        "threads-20ms",
        f"send_mail() in {THREADS} threads, STARTTLS + AUTH, RTT 20 ms",
        PIPELINING._replace(rtt=0.02),
        in_threads(THREADS),
        200,
        [
            BASE._replace(messages=10 * THREADS),
            way(f"PIPELINING, pool_size={THREADS}", 6, pool_size=THREADS),
        ],
    ),
    Row(
        "batch",
        "send_messages(), plain",
        POSTFIX,
        at_once,
        2000,
        [BASE, way("one session", 12), way("parallel=4", 20, parallel=4)],
    ),
    Row(
        "batch-one-core",
        "send_messages(), plain, client on one core",
        POSTFIX,
        on_one_core(at_once),
        2000,
        [BASE, way("one session", 15), way("parallel=4", 28, parallel=4)],
    ),
    Row(
        "batch-login-2ms",
        "send_messages(), STARTTLS + AUTH, RTT 2 ms",
        CHUNKING_LOGIN._replace(rtt=0.002),
        at_once,
        400,
        [BASE, way("CHUNKING", 38)],
    ),
    Row(
        "crowd",
        f"send_mail() in {CROWD} threads on 4 sessions, plain",
        POSTFIX,
        in_threads(CROWD),
        100 * CROWD,
        [BASE._replace(messages=10 * CROWD), way("pool_size=4", 6.9, pool_size=4)],
    ),
    Row(
        "batch-2ms",
        "send_messages(), plain, RTT 2 ms",
        CHUNKING._replace(rtt=0.002),
        at_once,
        400,
        [
            BASE,
            way("one session", 4, chunking=False),
            way("parallel=4", 15, chunking=False, parallel=4),
            way("CHUNKING", 40),
        ],
    ),
    Row(
        "batch-20ms",
        "send_messages(), plain, RTT 20 ms",
        CHUNKING._replace(rtt=0.02),
        at_once,
        60,
        [
            BASE,
            way("parallel=4", 11, chunking=False, parallel=4),
            way("CHUNKING", 20),
        ],
    ),
    Row(
        "rate",
        "a message on one session, plain",
        POSTFIX,
        at_once,
        5000,
        [
            Way("smtp-source", work=lambda target, count: clients.smtp_source(target.port, count)),
            Way("ready-made", work=lambda target, count: clients.ready_made(target.port, count)),
            # As the others, it sends bytes that are there already.
            Way(
                "django_mailers.smtp",
                {"smtp-source": 2, "ready-made": 0.6},
                options=ONE_SESSION,
                work=as_bytes,
            ),
            Way("send_messages()", options=ONE_SESSION),
        ],
    ),
    Row(
        "worker",
        "a queued message, one worker of django-tasks-db on SQLite, STARTTLS + AUTH, aiosmtpd",
        AIOSMTPD,
        one_by_one,
        200,
        # Django's backend is called in a loop, without a queue.
        [SOME, Way("no PIPELINING", {"Django": 1}, work=by_a_worker)],
        package="django-tasks-db",
    ),
    Row(
        "first",
        "the first send_mail() of a process, plain",
        POSTFIX,
        in_new_process("one_by_one"),
        1,
        [BASE, way("PIPELINING", 0.9)],
    ),
    Row(
        "first-20ms",
        "the first send_mail() of a process, STARTTLS + AUTH, RTT 20 ms",
        PIPELINING._replace(rtt=0.02),
        in_new_process("one_by_one"),
        1,
        [BASE, way("PIPELINING", 1.3)],
    ),
    Row(
        "first-batch",
        "send_messages() in a new process, plain",
        POSTFIX,
        in_new_process("at_once"),
        30,
        [BASE, way("PIPELINING", 4.5)],
    ),
]


def mailer(row: Row, way: Way, port: int) -> dict[str, Any]:
    """Return what stands in MAILERS for `way`."""
    options = {"host": HOST, "port": port, **way.options}
    if row.server.login:
        options |= {"use_tls": True, "username": USER, "password": PASSWORD}
    return {"BACKEND": way.backend, "OPTIONS": options}
