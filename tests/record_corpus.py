#!/usr/bin/env python
"""Record what native Django 6.1 makes of the corpus on this Python (tests/data/corpus.json).

    python tests/record_corpus.py [--django SITE_PACKAGES]

Run it with every Python whose email package differs from those recorded; and after a change of
tests/support/corpus.py with all of them, as a new message must be recorded everywhere.

Django 6.1 needs Python 3.12. The references must be those of 3.10 and 3.11 too, where Django 5.2
runs: `--django` names a folder with an installed Django 6.1 (the site-packages of a newer Python),
of which `django`, and nothing else, is put in front of the path. asgiref must be installed for
this Python. Two names that Django 6.1 imports and older Pythons lack are provided then; what makes
messages is Django's own code, unchanged.
"""

from __future__ import annotations

import argparse
import datetime
import inspect
import platform
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def provide_what_python_lacks():
    """Make 6.1's `django.core.mail.message` importable; neither name plays a part in a message."""
    if sys.version_info < (3, 11):
        datetime.UTC = datetime.timezone.utc
    if sys.version_info < (3, 12):
        inspect.markcoroutinefunction = None


def record():
    """Let the Django on the path, which must be a native 6.1, make every message."""
    import django
    from django.apps import apps
    from django.conf import settings

    if any(name.split(".")[0] == "django_mailers" for name in sys.modules):
        raise SystemExit("django_mailers is imported: what it makes is no reference.")
    if django.VERSION[:2] != (6, 1):
        raise SystemExit(f"Django 6.1 is the reference, this is {django.__version__}.")
    settings.configure()
    apps.populate(())  # not django.setup(): that imports half of Django, more than 3.10 can

    from tests.support.corpus import CORPUS
    from tests.support.recordings import POLICIES, Recordings, email_package, render

    recordings = Recordings.load()
    recordings.django = django.__version__
    python = recordings.add_python(platform.python_version(), email_package())
    for name in set(recordings.messages) - set(CORPUS):
        del recordings.messages[name]
    for name in CORPUS:
        for policy in POLICIES:
            renderings = recordings.messages.setdefault(name, {}).setdefault(policy, {})
            renderings[python] = render(name, policy)
    recordings.save()
    return f"Django {django.__version__}, Python {python}: {len(CORPUS)} messages recorded."


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--django", type=Path, help="site-packages that hold Django 6.1")
    options = parser.parse_args()
    sys.path[0] = str(PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        if options.django is not None:
            sys.dont_write_bytecode = True
            Path(folder, "django").symlink_to(options.django.resolve() / "django")
            sys.path.insert(0, folder)
            provide_what_python_lacks()
        print(record())


if __name__ == "__main__":
    main()
