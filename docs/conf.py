"""Sphinx: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from django.conf import settings  # noqa: E402  (after sys.path)

import django_mailers  # noqa: E402

# The API reference imports what it describes.
settings.configure(INSTALLED_APPS=["django_mailers"], MAILERS={})
django_mailers.install()

project = "django_mailers"
author = "The django_mailers authors"
copyright = author
version = release = django_mailers.__version__

extensions = [
    "backend_options",
    "changelog",
    "checks",
    "docstrings",
    "patches",
    "sphinx.ext.autodoc",
]
# Docstrings say what arguments are.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]
# Names in single backquotes are a mistake here: code has two of them.
default_role = None
highlight_language = "none"
nitpicky = True

html_theme = "furo"
html_title = f"django_mailers {release}"
html_show_copyright = False
