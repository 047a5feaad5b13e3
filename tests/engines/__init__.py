"""Checks against real task engines, with real workers, PostgreSQL and Redis. By hand:

    python runtests.py tests.engines --pattern="check_*.py" --parallel 2

`nox -s engines` does it all, on Django 5.2 and 6.1. It needs Debian (or Ubuntu), and root, for the
packages postgresql and redis-server. An engine that is not installed is skipped, and says so.
"""
