"""How the messages of the corpus are rendered, and what native Django 6.1 made of them.

The recorder runs this module with Pythons that are too old for Django 6.1: nothing here may
import more of Django than a message needs, django.test least of all.
"""

import email
import email.message
import email.policy
import hashlib
import json
import re
import sys
import warnings
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from unittest import mock
from zoneinfo import ZoneInfo

from django.conf import UserSettingsHolder, settings
from django.core.mail import EmailMessage
from django.utils import timezone as django_timezone
from django.utils.functional import lazy

# The lines of the bytes, or how making them failed: {"raises": the type, "text": the message}.
Rendering = list[str] | dict[str, str]

POLICIES = {
    "default": email.policy.default,
    "SMTP": email.policy.SMTP,
    "SMTPUTF8": email.policy.SMTPUTF8,
}
EVERYWHERE = dict.fromkeys(POLICIES, "*")
DOMAIN = "corpus.example"

# --- Rendering -----------------------------------------------------------------------------------


@contextmanager
def pinned(TIME_ZONE="America/Chicago", **values):
    """Everything outside a message that its bytes depend on, bar the clock and randomness."""
    holder = UserSettingsHolder(settings._wrapped)
    holder.DEFAULT_CHARSET = "utf-8"
    holder.DEFAULT_FROM_EMAIL = "webmaster@localhost"
    holder.EMAIL_USE_LOCALTIME = False
    for name, value in values.items():
        setattr(holder, name, value)
    with ExitStack() as stack:
        stack.callback(setattr, settings, "_wrapped", settings._wrapped)
        settings._wrapped = holder
        stack.enter_context(django_timezone.override(ZoneInfo(TIME_ZONE)))
        stack.enter_context(mock.patch("django.core.mail.message.DNS_NAME", DOMAIN))
        stack.enter_context(warnings.catch_warnings())
        # MIMEBase attachments are deprecated; the corpus is not about the warning.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


def normalise(rendered):
    """Replace what differs from run to run: Date, Message-ID and boundaries, where generated.

    The zone of a date and the nesting of the boundaries stay. A date that is not of this hour
    was not generated (or is wrong), and stays too.
    """
    boundaries = {}

    def boundary(match):
        return boundaries.setdefault(match[0], b"=" * 15 + b"%019d" % (len(boundaries) + 1) + b"==")

    def date(match):
        value = parsedate_to_datetime(match[1].decode() + " " + match[2].decode())
        value = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        recent = abs(datetime.now(timezone.utc) - value) < timedelta(hours=1)
        return b"Date: NOW " + match[2] if recent else match[0]

    rendered = re.sub(rb"={15}\d{10,19}==", boundary, rendered)
    rendered = re.sub(rb"^Date: (\w{3}, [\w ]+ [\d:]{8}) ([+-]\d{4})", date, rendered, flags=re.M)
    return re.sub(
        rb"<\d+\.\d+\.\d+@" + re.escape(DOMAIN.encode()), b"<ID@" + DOMAIN.encode(), rendered
    )


def render(name, policy):
    """Make the message `name` under `policy`. An error is a result like any other."""
    with pinned(**SETTINGS.get(name, {})):
        try:
            message = CORPUS[name]()
        except Exception as error:
            return refusal(error)
        return lines_of(message, policy)


def lines_of(message, policy):
    """Return the lines of `message` under `policy`; or an error, as a result."""
    try:
        rendered = message.message(policy=POLICIES[policy]).as_bytes()
    except Exception as error:
        return refusal(error)
    text = normalise(rendered).decode("utf-8", "surrogateescape")
    return text.split(POLICIES[policy].linesep)


def refusal(error):
    """Return what is recorded of an error.

    Of its classes the first that Python itself defines counts: where Django before 6.0 raises a
    ValueError of its own, the user's `except ValueError` sees no difference.
    """
    raised = next(
        kind
        for kind in type(error).__mro__
        if kind.__module__.split(".")[0] in sys.stdlib_module_names
    )
    return {"raises": raised.__name__, "text": str(error)}


# --- Recordings ----------------------------------------------------------------------------------


@cache
def email_package():
    """A short digest of the source of Python's email package.

    The package changes in patch releases, and distributions patch it: it, rather than the number
    of the version, says whether two Pythons make the same bytes.
    """
    digest = hashlib.sha256()
    for folder in email.__path__:
        for path in sorted(Path(folder).rglob("*.py")):
            digest.update(path.read_text(encoding="utf-8").encode())
    return digest.hexdigest()[:16]


class Recordings:
    """What native Django 6.1 made of the corpus on each of `pythons` (version: email package).

    In the file a message has one rendering, or several that each say for which policies and
    Pythons they hold ("*": all of them).
    """

    path = Path(__file__).parents[1] / "data" / "corpus.json"

    def __init__(self, django="", pythons=None):
        self.django = django
        self.pythons = pythons or {}
        # {name: {policy: {version: rendering}}}
        self.messages = {}

    @classmethod
    def load(cls):
        if not cls.path.exists():
            return cls()
        stored = json.loads(cls.path.read_text(encoding="utf-8"))
        recordings = cls(stored["django"], stored["pythons"])
        for name, variants in stored["messages"].items():
            policies = recordings.messages[name] = {policy: {} for policy in POLICIES}
            for variant in variants:
                for policy, versions in variant.get("for", EVERYWHERE).items():
                    wanted = recordings.pythons if versions == "*" else versions.split()
                    rendering = variant.get("lines", variant.get("error"))
                    policies[policy].update(dict.fromkeys(wanted, rendering))
        return recordings

    def save(self):
        messages = {name: self._variants(self.messages[name]) for name in sorted(self.messages)}
        stored = {"django": self.django, "pythons": self.pythons, "messages": messages}
        self.path.parent.mkdir(exist_ok=True)
        # ASCII only: a reviewer must see a right-to-left mark, not be fooled by it.
        self.path.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")

    def _variants(self, policies):
        where = {}
        for policy, renderings in policies.items():
            for version in self.pythons:
                if version in renderings:
                    found = where.setdefault(json.dumps(renderings[version]), {})
                    found.setdefault(policy, []).append(version)
        variants = []
        for text, policies_of in where.items():
            rendering = json.loads(text)
            variant = {"error" if isinstance(rendering, dict) else "lines": rendering}
            holds_for = {
                policy: "*" if len(versions) == len(self.pythons) else " ".join(versions)
                for policy, versions in policies_of.items()
            }
            variants.append(variant if holds_for == EVERYWHERE else {"for": holds_for, **variant})
        return variants

    def python(self, version, package):
        """The recorded Python that makes the bytes that this one makes, if there is one."""
        for known, digest in self.pythons.items():
            if digest == package and known.split(".")[:2] == version.split(".")[:2]:
                return known
        return None

    def add_python(self, version, package):
        """Make room for a Python, unless one that makes the same bytes is here. Return which."""
        known = self.python(version, package)
        if known is None:
            known = version
            pythons = {**self.pythons, version: package}
            in_order = sorted(pythons, key=lambda name: [int(part) for part in name.split(".")])
            self.pythons = {name: pythons[name] for name in in_order}
        return known


# --- The messages --------------------------------------------------------------------------------

CORPUS = {}
SETTINGS = {}


def add(name, factory, **settings):
    """Name a message of the corpus, to be rendered under `settings`."""
    assert name not in CORPUS, name
    CORPUS[name] = factory
    if settings:
        SETTINGS[name] = settings


def simple(
    kind=EmailMessage,
    encoding=None,
    content_subtype=None,
    attach=list,
    **arguments,
):
    """A small message of which `arguments` and attributes are not the usual ones."""
    usual = {
        "subject": "Subject",
        "body": "The body.\n",
        "from_email": "from@example.com",
        "to": ["to@example.com"],
    }
    message = kind(**{**usual, "attachments": attach(), **arguments})
    if encoding is not None:
        message.encoding = encoding
    if content_subtype is not None:
        message.content_subtype = content_subtype
    return message


def lazily(value):
    """A value that becomes a string only when it is looked at."""
    return lazy(lambda: value, str)()
