"""Sphinx: `sphinx-build -W --keep-going -b html docs docs/_build/html`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from django_mailers import __version__  # noqa: E402  (after sys.path)

project = "django_mailers"
author = "The django_mailers authors"
copyright = author
version = release = __version__

extensions = ["backend_options", "checks", "patches"]
exclude_patterns = ["_build"]
# Names in single backquotes are a mistake here: code has two of them.
default_role = None
highlight_language = "none"
nitpicky = True

html_theme = "furo"
html_title = f"django_mailers {release}"
html_show_copyright = False
