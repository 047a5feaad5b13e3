"""The code of a project with annotations, as `nox -s types` gives it to mypy and pyright.

mailing.py needs the stubs of Django 6.1, whose API this package brings to 5.2 and 6.0. The other
modules use the API of this package, and pass with the stubs of 5.2 as well.
"""
