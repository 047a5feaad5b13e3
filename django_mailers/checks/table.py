"""Every id of the system checks of this app, with its message, its cause and its cure.

`docs/checks.rst` is made from this table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from django.core import checks
from django.core.checks import CheckMessage


class Problem(NamedTuple):
    """What a check reports, for the documentation: its texts are reStructuredText.

    `summary` is the message in general terms, `cause` says how a project comes to it, and `cure`
    is the hint where a check has no more specific one.
    """

    id: str
    summary: str
    cause: str
    cure: str

    @property
    def hint(self) -> str:
        """The cure as plain text."""
        return self.cure.replace("``", "")


# An error is a setting that makes mail fail or disappear, at the latest when the mailer is used.
# A setting that Django can work with is a warning at most: an error keeps `migrate` and `runserver`
# from running.
PROBLEMS = (
    Problem(
        "mailers.E001",
        "``MAILERS`` must be a dict.",
        "The setting is ``None``, a list, or a single entry without its alias.",
        "Define ``MAILERS`` as a dict whose keys are aliases and whose values are dicts.",
    ),
    Problem(
        "mailers.E002",
        "An entry of ``MAILERS`` must be a dict.",
        "The value of an alias is ``None``, or the path of a backend alone.",
        "Write the entry as a dict with the keys ``BACKEND`` and ``OPTIONS``.",
    ),
    Problem(
        "mailers.E003",
        "``OPTIONS`` must be a dict whose keys are strings.",
        "``OPTIONS`` is ``None``, a list, or a dict with keys that cannot be keyword arguments.",
        "Write ``OPTIONS`` as a dict, or leave it out.",
    ),
    Problem(
        "mailers.E004",
        "``BACKEND`` could not be imported.",
        "A package is not installed, the path is misspelled, or the module raises an error when it "
        "is imported.",
        "Install the package, or correct the path. It ends with the name of the class.",
    ),
    Problem(
        "mailers.E005",
        "``BACKEND`` is not an email backend.",
        "The path leads to a module, a function or a class without ``send_messages()``.",
        "Name a class that derives from ``BaseEmailBackend`` and defines ``send_messages()``.",
    ),
    Problem(
        "mailers.E006",
        "``BACKEND`` cannot be used in ``MAILERS``.",
        "The backend was written before ``MAILERS``: its ``__init__()`` does not accept the "
        "argument ``'alias'``, or passes arguments on to a class that regards them as unknown "
        "options. This does not matter while ``MAILERS_BRIDGE`` is on.",
        "Upgrade the package, or let ``__init__()`` take ``**kwargs`` and pass them, and nothing "
        "else, to ``super().__init__()``.",
    ),
    Problem(
        "mailers.E007",
        "``OPTIONS`` must not define ``'alias'``.",
        "Django passes every backend its alias, which is the key in ``MAILERS``.",
        "Remove ``'alias'`` from ``OPTIONS``.",
    ),
    Problem(
        "mailers.E008",
        "Unknown options.",
        "The name of an option is misspelled, or options were left behind when ``BACKEND`` "
        "changed, such as SMTP options in the entry of a console backend.",
        "Correct or remove them.",
    ),
    Problem(
        "mailers.E009",
        "``OPTIONS`` must define an option.",
        "The backend requires the option: SMTP needs ``'host'``, the file backend ``'file_path'``.",
        "Add the option, or the intended ``BACKEND``: an entry without ``BACKEND`` uses SMTP.",
    ),
    Problem(
        "mailers.E010",
        "An option has an invalid value.",
        "The value has the wrong type or is out of range: a port or a timeout that is not a "
        "number, or an empty host. Environment variables are strings.",
        "Convert the value, as in ``int(os.environ['SMTP_TIMEOUT'])``.",
    ),
    Problem(
        "mailers.E011",
        "The ``'use_ssl'`` and ``'use_tls'`` ``OPTIONS`` are incompatible.",
        "A connection either starts with TLS (``'use_ssl'``, port 465) or changes to it later "
        "(``'use_tls'``, port 587).",
        "Keep ``'use_tls'`` for port 587 or 25, and ``'use_ssl'`` for port 465.",
    ),
    Problem(
        "mailers.E012",
        "``OPTIONS`` name an alias that is not in ``MAILERS``.",
        "The option ``'using'``, ``'mailers'`` or ``'also'`` of a backend that sends through other "
        "mailers is misspelled, or that mailer has been removed.",
        "Correct the alias, or add it to ``MAILERS``.",
    ),
    Problem(
        "mailers.E013",
        "``OPTIONS`` lead back to the mailer itself.",
        "Mailers that send through other mailers, because of ``'using'``, ``'mailers'`` or "
        "``'also'``, form a circle. A message would never leave it.",
        "Let one of them name a mailer that delivers.",
    ),
    Problem(
        "mailers.E014",
        "A handler in ``LOGGING`` names an alias that is not in ``MAILERS``.",
        "The ``'using'`` of an ``AdminEmailHandler`` is misspelled, or that mailer has been "
        "removed. Its error reports are silently lost. This is not checked while ``MAILERS`` is "
        "empty.",
        "Correct the alias, or add it to ``MAILERS``.",
    ),
    Problem(
        "mailers.E015",
        "A class in ``MIDDLEWARE`` names an alias that is not in ``MAILERS``.",
        "The ``'using'`` of a ``BrokenLinkEmailsMiddleware`` is misspelled, or that mailer has "
        "been removed. Its reports are silently lost. This is not checked while ``MAILERS`` is "
        "empty.",
        "Correct the alias, or add it to ``MAILERS``.",
    ),
    Problem(
        "mailers.E016",
        "Options are incompatible.",
        "An option of a backend of this app is ruled out by another one, or lacks one that it "
        "needs: ``'ca_file'`` without TLS, ``'token'`` without ``'auth'``.",
        "Add or change the other option, or remove this one.",
    ),
    Problem(
        "mailers.E017",
        "Mail cannot be sent from, or to, an address in the settings.",
        "``DEFAULT_FROM_EMAIL``, ``SERVER_EMAIL``, or an entry of ``ADMINS`` or ``MANAGERS`` is "
        "not an address, or is more than one, and the default mailer refuses it. Mail from it or "
        "to it fails, and error reports are lost.",
        "Write one address, as ``'name@example.com'`` or ``'Name <name@example.com>'``.",
    ),
    Problem(
        "mailers.E030",
        "A rate limit names a cache that is not in ``CACHES``.",
        "The option ``'cache'`` is misspelled, or that cache has been removed. No message can be "
        "sent.",
        "Correct the alias, or add it to ``CACHES``.",
    ),
    Problem(
        "mailers.E040",
        "A callable in ``OPTIONS`` could not be imported.",
        "The path is misspelled, the module raises an error when it is imported, or the object is "
        "not a function. An option such as ``'transforms'`` names it.",
        "Correct the path: the module, a dot, and the name of a function or another callable.",
    ),
    Problem(
        "mailers.E050",
        "The ``'resolver'`` of a mailer that routes could not be imported.",
        "The path is misspelled, the module raises an error when it is imported, or the object at "
        "the path cannot be called.",
        "Correct the path. It ends with the name of a function that takes a message.",
    ),
    Problem(
        "mailers.E051",
        "The ``'resolver'`` of a mailer that routes is asynchronous.",
        "It is a coroutine function, but messages are sent by code that cannot await it.",
        "Write it as ``def``, not as ``async def``.",
    ),
    Problem(
        "mailers.E060",
        "There is no tasks framework.",
        "A mailer sends in the background. Django has tasks since 6.0; on 5.2 they are a package.",
        'Install it: ``pip install "django-mailers[tasks]"``.',
    ),
    Problem(
        "mailers.E061",
        "The engine of a background mailer cannot be used.",
        "``'task_backend'`` is not an alias in ``TASKS``, or the package of that engine is not "
        "installed.",
        "Correct the alias, or add the engine to ``TASKS``.",
    ),
    Problem(
        "mailers.E062",
        "The engine of a background mailer does not accept its task.",
        "``'queue_name'`` is not in the ``QUEUES`` of the engine, or it has no priorities.",
        "Name one of its queues, and leave out a ``'priority'`` that it does not support.",
    ),
    Problem(
        "mailers.E063",
        "``'database'`` of a background mailer is not in ``DATABASES``.",
        "The alias is misspelled, or that database has been removed.",
        "Name the database whose transactions the messages belong to.",
    ),
    Problem(
        "mailers.E064",
        "``'claims'`` of a background mailer is not in ``CACHES``.",
        "The alias is misspelled, or that cache has been removed.",
        "Name a cache that all workers share, or set ``'claims'`` to ``None``.",
    ),
    Problem(
        "mailers.E070",
        "A DKIM key cannot be used.",
        "The file cannot be read, it does not contain a private RSA key in PEM, or the package "
        "``cryptography`` is not installed. Part of ``check --deploy``.",
        "Correct ``'key'`` in the option ``'dkim'``; the message says what is wrong with it.",
    ),
    Problem(
        "mailers.W001",
        "An entry of ``MAILERS`` has a key that is ignored.",
        "Django reads ``BACKEND`` and ``OPTIONS``, and ignores everything else: a misspelled key, "
        "or an option that should be inside ``OPTIONS``.",
        "Remove the key, or move it into ``OPTIONS``.",
    ),
    Problem(
        "mailers.W002",
        "An option that should be a number or a bool is a string.",
        "Environment variables are strings, and any string that is not empty is true, even "
        "``'False'`` and ``'0'``.",
        "Convert the value, as in ``os.environ['SMTP_TLS'] == '1'``.",
    ),
    Problem(
        "mailers.W003",
        "A mailer has a backend for development.",
        "The mailer prints, stores or discards mail instead of sending it. Only ``check --deploy`` "
        "reports this. For the default mailer, Django reports ``mail.E001``.",
        "Use a backend that delivers, or silence this check if the mailer is not meant to send.",
    ),
    Problem(
        "mailers.W004",
        "A password is sent over the network in plain text.",
        "An SMTP mailer logs in to another machine, and has neither ``'use_tls'`` nor "
        "``'use_ssl'``.",
        "Set ``'use_tls'`` or ``'use_ssl'`` to ``True``.",
    ),
    Problem(
        "mailers.W005",
        "Error reports show a secret.",
        "Django's debug page and error reports list the settings, and mask a value only by the "
        "name of its key. A URL with a password, a private key or a credential is shown if it has "
        "another name.",
        "Store the secret as an option of its own under a name that Django masks, such as "
        "``'password'``, ``'token'`` or ``'api_key'``, or extend the ``hidden_settings`` of the "
        "``DEFAULT_EXCEPTION_REPORTER_FILTER``.",
    ),
    # Django 6.0: W006 and W007 go with the polyfill.
    Problem(
        "mailers.W006",
        "A function of Django was replaced before ``django_mailers`` was installed.",
        "Other code has put its own function in that place. The app leaves it alone, and it does "
        "not use ``MAILERS``. Only below Django 6.1.",
        "Put ``'django_mailers'`` first in ``INSTALLED_APPS``, or call "
        "``django_mailers.install()`` in the first lines of the settings file.",
    ),
    Problem(
        "mailers.W007",
        "A module was imported before ``django_mailers`` was installed.",
        "It looked for names of Django 6.1 that did not exist yet, and uses its own substitutes. "
        "Only below Django 6.1.",
        "Put ``'django_mailers'`` first in ``INSTALLED_APPS``, or call "
        "``django_mailers.install()`` in the first lines of the settings file.",
    ),
    Problem(
        "mailers.W008",
        "Settings have no effect because ``MAILERS`` is defined.",
        "The project defines, or a test overrides, one of the eleven ``EMAIL_*`` settings that "
        "``MAILERS`` replaces.",
        "Move the values into ``MAILERS``, and remove these settings. In a test, override "
        "``MAILERS`` instead.",
    ),
    Problem(
        "mailers.W009",
        "The TLS options do not match the port.",
        "On port 465 TLS starts with the first byte (``'use_ssl'``), on port 587 after STARTTLS "
        "(``'use_tls'``). If the two are mixed up, client and server wait for each other until "
        "the timeout, or do not understand each other.",
        "Set ``'use_ssl'`` to ``True`` for port 465, and ``'use_tls'`` for port 587.",
    ),
    Problem(
        "mailers.W010",
        "An address in the settings is not accepted everywhere.",
        "Django's SMTP backend refuses it since Django 6.0, for example because of a full stop in "
        "a name without quotes. It can be used with ``MAILERS_BRIDGE`` on Django 5.2, and with "
        "this app's SMTP backend on every Django; other backends have rules of their own. An empty "
        "``DEFAULT_FROM_EMAIL`` or ``SERVER_EMAIL`` is reported, too.",
        "Write one address, as ``'name@example.com'`` or ``'\"Name Inc.\" <name@example.com>'``.",
    ),
    Problem(
        "mailers.W020",
        "A failover or round robin has one mailer only.",
        "``'mailers'`` names one alias. No other mailer can take over when that one fails.",
        "Name at least two mailers, or send through that one directly.",
    ),
    Problem(
        "mailers.W021",
        "A mailer of a failover or round robin hides its errors.",
        "It sets ``'fail_silently'``, so it does not tell why a message was not sent. That reason "
        "decides whether another mailer gets the message.",
        "Remove ``'fail_silently'`` from that mailer, and catch ``OSError`` where mail is sent.",
    ),
    Problem(
        "mailers.W022",
        "A mailer of a failover or round robin has no timeout.",
        "If ``'timeout'`` is not set, Django's SMTP backend waits for ever for a server that does "
        "not answer, and the next mailer is never tried.",
        "Set ``'timeout'`` of that mailer, such as ``10`` (seconds), or use "
        "``django_mailers.backends.smtp.EmailBackend``, which has one.",
    ),
    Problem(
        "mailers.W023",
        "Mailers of a failover or round robin are one and the same.",
        "They have the same host, port and user, or the same options, and fail together. Or "
        "``'mailers'`` names an alias twice.",
        "Let each of ``'mailers'`` use a server, or an account, of its own.",
    ),
    Problem(
        "mailers.W024",
        "The cache of a failover or round robin is not shared.",
        "``'cache'`` names a cache in the memory of each process, one that keeps nothing, or one "
        "that is not in ``CACHES``. Each process finds out by itself which mailers fail.",
        "Name a cache that all processes use, such as one in Redis or Memcached, or remove "
        "``'cache'``.",
    ),
    Problem(
        "mailers.W030",
        "A rate limit counts in a cache that processes do not share.",
        "Each process sends as much as the whole limit allows, or the limit has no effect at all. "
        "``LocMemCache``, Django's default, is such a cache; ``DummyCache`` keeps nothing.",
        "Name a cache on Redis or Memcached, or silence this check if a single process sends.",
    ),
    Problem(
        "mailers.W031",
        "A rate limit counts in a cache that does not count exactly.",
        "Messages that two processes count at the same moment may be counted once: caches in files "
        "and in the database read and then write, and Redis with several servers reads from "
        "replicas. More is sent than the limit allows.",
        "Name a cache on Memcached, or on Redis with a single server in ``LOCATION``.",
    ),
    Problem(
        "mailers.W032",
        "A mailer that tries again sends through another one that does.",
        "The attempts are multiplied: three times three are nine, and so are the waits.",
        "Keep one of the two.",
    ),
    Problem(
        "mailers.W033",
        "The wait before the first repetition is longer than the longest wait.",
        "``'max_delay'`` or ``'deadline'`` of a mailer that tries again is shorter than "
        "``'delay'``, perhaps because one of them is in minutes.",
        "Give all of them in seconds, ``'delay'`` the smallest.",
    ),
    Problem(
        "mailers.W034",
        "A rate limit sends through a mailer that tries again.",
        "The limit counts a message once. Further attempts are not counted, and the server may get "
        "more messages than the limit allows.",
        "Turn the two around: let the mailer that tries again use the rate limit.",
    ),
    Problem(
        "mailers.W040",
        "A mailer redirects mail.",
        "The mailer has the backend ``django_mailers.backends.redirect``, which is for staging: "
        "customers get nothing. Only ``check --deploy`` reports this.",
        "In production, use the mailer that ``'using'`` names. On a staging site, silence this "
        "check.",
    ),
    Problem(
        "mailers.W041",
        "A mailer sends to anybody, although another one redirects mail.",
        "Mail that is sent through this mailer does not go through the redirection: a staging site "
        "may write to customers.",
        "Let the mailer send through one that redirects, or silence this check if it is meant to "
        "send to anybody.",
    ),
    Problem(
        "mailers.W060",
        "A background mailer has an engine for development.",
        "Django's ``ImmediateBackend`` sends while the visitor waits, and its ``DummyBackend`` "
        "never does. Only ``check --deploy`` reports this.",
        "Use an engine that has workers.",
    ),
    Problem(
        "mailers.W061",
        "Processes do not share the cache with the claims of a background mailer.",
        "With ``LocMemCache``, Django's default, each process has a cache of its own, and "
        "``DummyCache`` keeps nothing. So a worker cannot see that another has sent a message.",
        "Let ``'claims'`` name a cache in Redis, Memcached or the database, or set it to ``None`` "
        "if the engine never runs a task twice.",
    ),
    Problem(
        "mailers.W062",
        "The cache with the claims of a background mailer has few entries.",
        "A cache in the database or in files drops entries when there are more than "
        "``MAX_ENTRIES``, 300 by default. A message whose claim is dropped may be sent twice.",
        "Give the claims a cache of their own whose ``MAX_ENTRIES`` is above the number of "
        "messages in a week.",
    ),
    Problem(
        "mailers.W063",
        "Error reports are sent in the background.",
        "A handler in ``LOGGING``, or the one that Django adds, mails through a background mailer. "
        "A report that the database or the queue fails cannot be queued in it.",
        "Let the handler mail through a mailer that delivers at once, by its ``'using'``.",
    ),
    Problem(
        "mailers.W064",
        "The engine of a background mailer cannot run a task later.",
        "It ignores ``run_after``. A message that is refused for now is tried again at once, and "
        "not at all if the server refuses the login.",
        "Use an engine that supports it, or let ``'using'`` name a mailer that waits by itself.",
    ),
    Problem(
        "mailers.W070",
        "A mailer does not sign for the domain of the sender.",
        "The domain of ``DEFAULT_FROM_EMAIL`` is neither the ``'domain'`` of the option ``'dkim'`` "
        "nor below it. Mail from it is sent without a signature, or refused with ``'required'``.",
        "Set ``DEFAULT_FROM_EMAIL`` to an address of the domain, or sign for the other domain.",
    ),
)
_BY_ID = {problem.id: problem for problem in PROBLEMS}


def check_message(
    id: str,  # noqa: A002  (the name that Django gives it)
    text: str,
    *,
    alias: object = None,
    hint: str | None = None,
) -> CheckMessage:
    """Return what a check has to say: an error or a warning, according to its id.

    Arguments: `alias`, the entry of MAILERS that it is about, which goes before the text; `hint`,
    in place of the one in the table. Neither text may contain the value of an option, as the
    output of checks is kept in the logs of build servers.
    """
    level = checks.Error if id.startswith("mailers.E") else checks.Warning
    prefix = "" if alias is None else f"MAILERS[{alias!r}]: "
    return level(prefix + text, hint=hint or _BY_ID[id].hint, id=id)


def closest(name: object, known: Iterable[object], *, likeness: float = 0.6) -> str | None:
    """Return the one of the `known` names that `name` is probably a misspelling of.

    Arguments: `likeness`, how similar the two must be, from 0 to 1. None if no name is.
    """
    import difflib

    if not isinstance(name, str):
        return None
    names = {other.lower(): other for other in known if isinstance(other, str)}
    matches = difflib.get_close_matches(name.lower(), names, n=1, cutoff=likeness)
    return names[matches[0]] if matches else None
