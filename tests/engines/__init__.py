"""Checks against real task engines, with real workers, PostgreSQL and Redis. By hand:

    python runtests.py tests.engines --pattern="check_*.py" --parallel 2

`nox -s engines` does it all, on Django 5.2 and 6.1. It needs Debian (or Ubuntu), and root, for the
packages postgresql, redis-server and memcached, as it also runs the tests of caches that processes
share. An engine that is not installed is skipped, and says so.
"""
