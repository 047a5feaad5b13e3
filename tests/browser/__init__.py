"""Checks in a real browser, Debian's chromium, of the test project as its developer runs it.

`nox -s browser` installs what they need, and runs them. By hand, with selenium and the extra
`test` installed:

    python runtests.py tests.browser --pattern="check_*.py"

The project is run by `manage.py runserver`, with an SMTP server for its mail; see `settings.py`.
The browser is headless, starts with an empty profile, and reaches nothing but this machine.
"""
