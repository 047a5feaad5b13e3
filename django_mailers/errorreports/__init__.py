"""Error mail: what the handler in log.py and the middleware in middleware.py have in common.

Such mail is sent after something else has gone wrong, by the thread that a visitor waits for. So a
report is about nothing but its error (writing.py, texts.py), similar ones are counted instead of
sent (describe.py, limits.py), sending takes a bounded time (sending.py), and whatever fails on the
way is logged and never raised (reporting.py).

LOGGING may name log.py, so all of this has to be importable before the apps are loaded and, on
Django 5.2 and 6.0, before `django.core.mail` has its `mailers` (H5).
"""
