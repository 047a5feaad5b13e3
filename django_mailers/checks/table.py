"""Every id of the system checks of this app: what it says, what causes it, and the cure.

`docs/checks.rst` has the same entries in the same words; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.core import checks
from django.core.checks import CheckMessage


class Problem(NamedTuple):
    """`what` is the message in general terms. `cure` is the hint, where nothing closer is known."""

    id: str
    what: str
    cause: str
    cure: str


# An error is what fails, or loses mail, at the latest when the mailer is used. What Django lets
# work is a warning at most: an error keeps `migrate` and `runserver` from running.
PROBLEMS = (
    Problem(
        "mailers.E001",
        "MAILERS must be a dict.",
        "The setting is None, a list, or one entry without its alias.",
        "Define MAILERS as a dict whose keys are aliases and whose values are dicts.",
    ),
    Problem(
        "mailers.E002",
        "An entry of MAILERS must be a dict.",
        "The value of an alias is None, or the path of a backend alone.",
        "Write the entry as a dict with the keys BACKEND and OPTIONS.",
    ),
    Problem(
        "mailers.E003",
        "OPTIONS must be a dict whose keys are strings.",
        "OPTIONS is None, a list, or a dict with keys that cannot be keyword arguments.",
        "Write OPTIONS as a dict, or leave it out.",
    ),
    Problem(
        "mailers.E004",
        "BACKEND could not be imported.",
        "A package is missing, the path is misspelt, or the module fails when it is imported.",
        "Install the package, or correct the path, which ends in the name of the class.",
    ),
    Problem(
        "mailers.E005",
        "BACKEND is no email backend.",
        "The path leads to a module, a function or a class without send_messages().",
        "Name a class that derives from BaseEmailBackend and defines send_messages().",
    ),
    Problem(
        "mailers.E006",
        "BACKEND cannot be used from MAILERS.",
        "The backend was written before MAILERS: its __init__() refuses the argument 'alias', or "
        "hands arguments on to a class that takes them for unknown options. While MAILERS_BRIDGE "
        "is on this is no problem.",
        "Upgrade the package, or let __init__() take **kwargs and pass them, and nothing else, on "
        "to super().__init__().",
    ),
    Problem(
        "mailers.E007",
        "OPTIONS must not define 'alias'.",
        "Every backend is told its alias by Django, which is the key in MAILERS.",
        "Remove 'alias' from OPTIONS.",
    ),
    Problem(
        "mailers.E008",
        "Unknown options.",
        "The name of an option is misspelt, or options were left behind when BACKEND changed, "
        "such as those of SMTP below a console backend.",
        "Correct or remove them.",
    ),
    Problem(
        "mailers.E009",
        "OPTIONS must define an option.",
        "The backend cannot do without it: SMTP needs 'host', the file backend 'file_path'.",
        "Add the option, or the BACKEND that is meant: without one an entry is SMTP.",
    ),
    Problem(
        "mailers.E010",
        "An option has a value that cannot work.",
        "A value has the wrong type or is out of range: a port or a timeout that is not a number, "
        "a host that is empty. Values from environment variables are strings.",
        "Convert the value, as with int(os.environ['SMTP_TIMEOUT']).",
    ),
    Problem(
        "mailers.E011",
        "The 'use_ssl' and 'use_tls' OPTIONS are incompatible.",
        "A connection starts with TLS ('use_ssl', port 465) or changes to it later ('use_tls', "
        "port 587), not both.",
        "Keep 'use_tls' for port 587 or 25, and 'use_ssl' for port 465.",
    ),
    Problem(
        "mailers.E012",
        "OPTIONS name an alias which is not in MAILERS.",
        "The option 'using' or 'mailers' of a backend that sends through other mailers is "
        "misspelt, or that mailer has been removed.",
        "Correct the alias, or add it to MAILERS.",
    ),
    Problem(
        "mailers.E013",
        "OPTIONS lead back to the mailer itself.",
        "Mailers that send through other mailers by 'using' or 'mailers' form a circle, in which a "
        "message would go round for ever.",
        "Let one of them name a mailer that delivers.",
    ),
    Problem(
        "mailers.E014",
        "A handler in LOGGING names an alias which is not in MAILERS.",
        "The 'using' of an AdminEmailHandler is misspelt, or that mailer has been removed. Its "
        "error reports are lost without a word. This is not looked for while MAILERS is empty.",
        "Correct the alias, or add it to MAILERS.",
    ),
    Problem(
        "mailers.E015",
        "A class in MIDDLEWARE names an alias which is not in MAILERS.",
        "The 'using' of a BrokenLinkEmailsMiddleware is misspelt, or that mailer has been removed. "
        "Its reports are lost without a word. This is not looked for while MAILERS is empty.",
        "Correct the alias, or add it to MAILERS.",
    ),
    Problem(
        "mailers.E016",
        "Options do not go together.",
        "A backend of this app is given an option that another one makes impossible, or is without "
        "one that it needs: 'ca_file' where there is no TLS, a 'token' without 'auth'.",
        "Add the other option, or remove this one.",
    ),
    Problem(
        "mailers.E017",
        "An address in the settings cannot be sent from, or to.",
        "DEFAULT_FROM_EMAIL, SERVER_EMAIL, or an entry of ADMINS or MANAGERS is not an address, or "
        "is more than one, and the default mailer refuses it. Mail from or to it fails, error "
        "reports are lost.",
        "Write one address, as 'name@example.com' or 'Name <name@example.com>'.",
    ),
    Problem(
        "mailers.W001",
        "An entry of MAILERS has a key that is ignored.",
        "Django reads BACKEND and OPTIONS, and passes over everything else: a misspelt key, or an "
        "option that should be inside OPTIONS.",
        "Remove the key, or move it into OPTIONS.",
    ),
    Problem(
        "mailers.W002",
        "An option is a string where a number or a bool is meant.",
        "Values from environment variables are strings, and any string that is not empty counts as "
        "true, 'False' and '0' too.",
        "Convert the value, as with os.environ['SMTP_TLS'] == '1'.",
    ),
    Problem(
        "mailers.W003",
        "A mailer has a backend for development.",
        "Found by check --deploy: a mailer prints, stores or drops mail instead of sending it. "
        "Django reports the default mailer as mail.E001.",
        "Use a backend that delivers, or silence this check if the mailer is meant to send "
        "nothing.",
    ),
    Problem(
        "mailers.W004",
        "A password goes over the network in plain text.",
        "An SMTP mailer logs in at another machine, and has neither 'use_tls' nor 'use_ssl'.",
        "Set 'use_tls' or 'use_ssl' to True.",
    ),
    Problem(
        "mailers.W005",
        "Error reports show a secret.",
        "Django's debug page and error mails list the settings, and mask a value by the name of "
        "its key only. A URL with a password in it, a private key or a credential is shown if it "
        "is stored under another name.",
        "Store the secret as an option of its own under a name that Django masks, such as "
        "'password', 'token' or 'api_key', or extend the hidden_settings of the "
        "DEFAULT_EXCEPTION_REPORTER_FILTER.",
    ),
    Problem(
        "mailers.W006",
        "A function of Django was replaced before django_mailers was installed.",
        "Other code has put its own function in that place, which is left alone and knows nothing "
        "of MAILERS. Below Django 6.1 only.",
        "Put 'django_mailers' first in INSTALLED_APPS, or call django_mailers.install() in the "
        "first lines of the settings file.",
    ),
    Problem(
        "mailers.W007",
        "A module was imported before django_mailers was installed.",
        "It has asked for names of Django 6.1 that were not there yet, and goes on with its own "
        "substitutes. Below Django 6.1 only.",
        "Put 'django_mailers' first in INSTALLED_APPS, or call django_mailers.install() in the "
        "first lines of the settings file.",
    ),
    Problem(
        "mailers.W008",
        "Settings have no effect beside MAILERS.",
        "The project defines, or a test overrides, some of the eleven EMAIL_* settings that "
        "MAILERS replaces.",
        "Move the values into MAILERS and remove these settings. A test overrides MAILERS instead.",
    ),
    Problem(
        "mailers.W009",
        "The TLS options do not go with the port.",
        "Port 465 is for TLS from the first byte on ('use_ssl'), port 587 for STARTTLS "
        "('use_tls'). If the two are mixed up, client and server wait for each other until the "
        "timeout, or do not understand each other.",
        "Set 'use_ssl' to True for port 465, and 'use_tls' for port 587.",
    ),
    Problem(
        "mailers.W010",
        "An address in the settings is not accepted everywhere.",
        "Django's SMTP backend refuses it from Django 6.0 on, because of a full stop in a name "
        "that is not in quotes, for one. It can be sent with MAILERS_BRIDGE on Django 5.2, and by "
        "the SMTP backend of this app on every Django; other backends have rules of their own. An "
        "empty DEFAULT_FROM_EMAIL or SERVER_EMAIL is reported, too.",
        "Write one address, as 'name@example.com' or '\"Name Inc.\" <name@example.com>'.",
    ),
)
_BY_ID = {problem.id: problem for problem in PROBLEMS}


def report(id: str, message: str, *, alias: object = None, hint: str | None = None) -> CheckMessage:  # noqa: A002
    """Return the message of a check.

    Arguments: `alias`, the entry of MAILERS it is about, which then leads the text; `hint`, a
    closer one than the cure in the table. Neither may hold the value of an option: what checks
    print ends in the logs of build servers.
    """
    level = checks.Error if id.startswith("mailers.E") else checks.Warning
    prefix = "" if alias is None else f"MAILERS[{alias!r}]: "
    return level(prefix + message, hint=hint or _BY_ID[id].cure, id=id)


def closest(name: object, known: Iterable[object], *, likeness: float = 0.6) -> str | None:
    """Return which of the `known` names `name` was probably meant to be, if one is that alike."""
    import difflib

    if not isinstance(name, str):
        return None
    names = {other.lower(): other for other in known if isinstance(other, str)}
    matches = difflib.get_close_matches(name.lower(), names, n=1, cutoff=likeness)
    return names[matches[0]] if matches else None
