"""The names and signatures of Django's mail API, described so that two Djangos can be compared.

    python -m tests.record_signatures

records the ones of the installed Django, which must be 6.1, as data/signatures.json;
test_signatures.py compares them with the ones of the Django that runs the tests.
"""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path

import django
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand
from django.utils.functional import cached_property

DATA = Path(__file__).parent / "data" / "signatures.json"

# What code outside Django names. `mail.__all__` is recorded too.
PUBLIC = {
    "django.core.mail": (
        "DEFAULT_ATTACHMENT_MIME_TYPE",
        "DEFAULT_MAILER_ALIAS",
        "DNS_NAME",
        "get_connection",
        "mail_admins",
        "mail_managers",
        "mailers",
        "send_mail",
        "send_mass_mail",
    ),
    "django.core.mail.deprecation": (
        "AUTH_ARGS_WARNING",
        "CONNECTION_ARG_WARNING",
        "FAIL_SILENTLY_ARG_WARNING",
        "NO_DEFAULT_MAILER_WARNING",
        "report_using_incompatibility",
        "warn_about_default_mailers_if_needed",
    ),
    "django.core.mail.exceptions": ("InvalidMailer", "MailerDoesNotExist"),
    "django.core.mail.handler": (
        "DEFAULT_MAILER_ALIAS",
        "DEFAULT_MAILER_BACKEND",
        "MailersHandler",
    ),
    "django.core.mail.message": (
        "DEFAULT_ATTACHMENT_MIME_TYPE",
        "EmailAlternative",
        "EmailAttachment",
        "EmailMessage",
        "EmailMultiAlternatives",
    ),
    "django.core.mail.utils": ("CachedDnsName", "DNS_NAME"),
    "django.core.mail.backends.base": ("BaseEmailBackend",),
    "django.core.mail.backends.console": ("EmailBackend",),
    "django.core.mail.backends.dummy": ("EmailBackend",),
    "django.core.mail.backends.filebased": ("EmailBackend",),
    "django.core.mail.backends.locmem": ("EmailBackend",),
    "django.core.mail.backends.smtp": ("EmailBackend",),
    "django.middleware.common": ("BrokenLinkEmailsMiddleware",),
    "django.utils.log": ("AdminEmailHandler",),
}
# Deprecated in 6.0, and not called by anything of Django's any more.
LEGACY = {
    "BadHeaderError",
    "MIMEMixin",
    "SafeMIMEMessage",
    "SafeMIMEMultipart",
    "SafeMIMEText",
    "forbid_multi_line_headers",
    "sanitize_address",
}
# Class attributes of Django 5.2 that the app leaves where they are, since packages read them (H20);
# a subclass that overrides one gets the error of 6.1 all the same, see test_message.py.
READ_ON_5_2 = {"mixed_subtype", "alternative_subtype"}
# Members of classes that are recorded although they are not public: subclasses override them.
INTERNAL = {
    "__contains__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__init__",
    "__iter__",
    "_add_attachment",
    "_add_attachments",
    "_add_bodies",
    "_close_connection",
    "_get_filename",
    "_idna_encode_address_header_domains",
    "_send",
    "_set_list_header_if_not_empty",
}


def describe_signature(function):
    """The parameters: names, kinds and defaults. Annotations, of which Django has none, are not."""
    signature = inspect.signature(function)
    signature = signature.replace(
        parameters=[
            parameter.replace(annotation=parameter.empty)
            for parameter in signature.parameters.values()
        ],
        return_annotation=signature.empty,
    )
    return re.sub(r" at 0x[0-9a-f]+", "", str(signature))


def describe(value):
    if isinstance(value, type) and hasattr(value, "_fields"):
        text = f"namedtuple({', '.join(value._fields)})"
    elif isinstance(value, type):
        text = f"class({', '.join(base.__name__ for base in value.__bases__)})"
    elif isinstance(value, (classmethod, staticmethod)):
        text = f"{type(value).__name__}{describe_signature(value.__func__)}"
    elif inspect.isfunction(value):
        text = describe_signature(value)
    elif isinstance(value, property):
        text = "property, can be set" if value.fset else "property"
    elif isinstance(value, cached_property):
        text = "cached property"
    elif value is None or isinstance(value, (str, int)):
        # 6.1 and 6.1.1 called the release that ends the deprecations by its number.
        text = re.sub(r"Django (7\.0|2028)", "Django N", repr(value))
    else:
        text = f"{type(value).__name__} object"
    return text


def describe_class(name, cls):
    """The class and what it defines itself; what it inherits is described where it is defined."""
    table = {name: describe(cls)}
    if not issubclass(cls, tuple):
        for member, value in vars(cls).items():
            # What nobody finds is not there, even if the class has a descriptor for it.
            if member in READ_ON_5_2 or not hasattr(cls, member):
                continue
            if member in INTERNAL or not member.startswith("_"):
                table[f"{name}.{member}"] = describe(value)
    return table


def describe_command(name):
    """What the command adds to the options of every command."""
    command = load_command_class(get_commands()[name], name)
    common = {action.dest for action in BaseCommand().create_parser("", name)._actions}
    table = {
        name: describe(command.help),
        f"{name}.missing_args_message": describe(command.missing_args_message),
    }
    for action in command.create_parser("", name)._actions:
        if action.dest not in common:
            option = " ".join(action.option_strings) or action.dest
            table[f"{name} {option}"] = (
                f"{type(action).__name__} dest={action.dest!r} nargs={action.nargs!r} "
                f"default={action.default!r} help={action.help!r}"
            )
    return table


def describe_django():
    """The table of the Django that is installed. A name that is missing there is left out."""
    table = {}
    for module_name, names in PUBLIC.items():
        try:
            module = import_module(module_name)
        except ImportError:
            continue
        if module_name == "django.core.mail":
            table[f"{module_name}.__all__"] = ", ".join(sorted(module.__all__))
        for name in names:
            if not hasattr(module, name):
                continue
            value, full_name = getattr(module, name), f"{module_name}.{name}"
            if isinstance(value, type):
                table |= describe_class(full_name, value)
            else:
                table[full_name] = describe(value)
    return table | describe_command("sendtestemail")


def forgotten():
    """What the modules of mail define beside PUBLIC and LEGACY: a newer Django has more."""
    names = []
    for module_name, known in PUBLIC.items():
        if module_name.startswith("django.core.mail"):
            module = import_module(module_name)
            names += [
                f"{module_name}.{name}"
                for name, value in vars(module).items()
                if getattr(value, "__module__", None) == module_name
                and not name.startswith("_")
                and name not in known
                and name not in LEGACY
            ]
    return names


def main():
    if django.VERSION[:2] != (6, 1):
        raise SystemExit(f"Record on Django 6.1, not on {django.__version__}.")
    if names := forgotten():
        raise SystemExit(f"Neither in PUBLIC nor in LEGACY: {', '.join(names)}")
    DATA.write_text(json.dumps(describe_django(), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
