"""Short ways to use a pool, for tests of `django_mailers.smtp`."""

from contextlib import contextmanager

from django_mailers.smtp import deliver


def send_one(pool, envelope):
    """Deliver one message over a session of `pool`; return its result."""
    return deliver(pool, [envelope])[0]


@contextmanager
def borrowed(pool):
    """Give a session of `pool` for the block. It is closed if the block raises."""
    session, _ = pool.acquire()
    try:
        yield session
    except BaseException:
        # It may be anywhere in a dialogue.
        session.close()
        raise
    finally:
        pool.release(session)


def refusals(result):
    """Return the replies to the recipients that were refused, by address."""
    return {name: reply for name, reply in result.recipients.items() if reply.code >= 400}
