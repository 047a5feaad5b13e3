"""Backends: those of Django, and some of everybody's own."""

import copy
import io
import tempfile
from pathlib import Path

from django.core import mail
from django.core.mail import EmailMessage, get_connection, send_mail
from django.core.mail.backends.smtp import EmailBackend
from django.test import override_settings

from . import backends
from .meaning import meaning
from .world import case, live_port

TO = ["to@example.com"]
DJANGO = "django.core.mail.backends"
OWN = backends.__name__


def message(text="Text."):
    return EmailMessage("Hi", text, None, TO)


def through(name):
    """Send by everything that takes a backend from EMAIL_BACKEND."""
    with override_settings(EMAIL_BACKEND=f"{OWN}.{name}"):
        return [
            send_mail("Hi", "Text.", None, TO),
            message().send(),
            message().send(fail_silently=True),
            get_connection(fail_silently=True).send_messages([message()]),
        ]


@case("settings")
def backend_keeping():
    return through("Keeping")


@case("settings")
def backend_fail_silently_only():
    with override_settings(EMAIL_BACKEND=f"{OWN}.FailSilentlyOnly"):
        return message().send()


@case("settings")
def backend_fail_silently_only_by_send_mail():
    with override_settings(EMAIL_BACKEND=f"{OWN}.FailSilentlyOnly"):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def backend_fail_silently_and_more():
    return through("FailSilentlyAndMore")


@case("settings")
def backend_anything():
    return through("Anything")


@case("settings")
def backend_nothing_for_the_base():
    return through("NothingForTheBase")


@case("settings")
def backend_no_base():
    return through("NoBase")


@case("settings")
def backend_none_back():
    return through("NoneBack")


@case("settings")
def backend_queue():
    return through("Queue")


@case("settings")
def backend_positional():
    return through("TenArguments")


@case("settings")
def backend_other_login():
    return through("OtherLogin")


@case("settings")
def backend_own_send():
    return through("OwnSend")


@case("settings")
def backend_tagging():
    return through("Tagging")


@case("settings")
def backend_own_open():
    return through("OwnOpen")


@case("settings")
def backend_listed():
    return through("Listed"), [meaning(sent.message().as_bytes()) for sent in mail.outbox]


@case()
def backend_by_path():
    return [
        get_connection(f"{OWN}.{name}").send_messages([message()])
        for name in ("Keeping", "FailSilentlyAndMore", "NoBase", "TenArguments", "OtherLogin")
    ]


@case()
def backend_by_path_fail_silently_only():
    return get_connection(f"{OWN}.FailSilentlyOnly", fail_silently=True).fail_silently


@case()
def backend_by_path_with_options():
    connection = get_connection(f"{OWN}.FailSilentlyAndMore", key="x")
    return connection.more, send_mail("Hi", "Text.", None, TO, connection=connection)


@case("settings")
def backend_unknown():
    with override_settings(EMAIL_BACKEND="nowhere.EmailBackend"):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def backend_not_a_class():
    with override_settings(EMAIL_BACKEND=f"{DJANGO}.smtp"):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def smtp_class_called():
    return EmailBackend().send_messages([message()])


@case()
def smtp_class_called_with_options():
    return EmailBackend("127.0.0.1", live_port(), timeout=5).send_messages([message()])


@case()
def smtp_class_called_with_login():
    connection = EmailBackend(
        host="127.0.0.1", port=live_port(), username="site", password="site's password"
    )
    return send_mail("Hi", "Text.", None, TO, connection=connection)


@case()
def smtp_class_called_for_tls_it_has_not():
    return EmailBackend(host="127.0.0.1", port=live_port(), use_tls=True).send_messages([message()])


@case()
def smtp_attributes_changed():
    connection = get_connection()
    connection.username, connection.password = "other", "other's password"
    connection.timeout = 5
    return connection.send_messages([message()])


@case("settings")
def locmem():
    with override_settings(EMAIL_BACKEND=f"{DJANGO}.locmem.EmailBackend"):
        sent = send_mail("Hi", "Text.", None, TO, html_message="<p>")
    kept = mail.outbox[0]
    return [
        sent,
        len(mail.outbox),
        kept.subject,
        kept.body,
        kept.from_email,
        kept.to,
        kept.alternatives,
        kept.attachments,
        kept.extra_headers,
        meaning(kept.message().as_bytes()),
    ]


@case()
def locmem_by_path():
    connection = get_connection(f"{DJANGO}.locmem.EmailBackend")
    first = message()
    sent = connection.send_messages([first])
    first.subject = "Changed"
    return sent, mail.outbox[0].subject, mail.outbox[0] is first


@case()
def locmem_bad_header():
    connection = get_connection(f"{DJANGO}.locmem.EmailBackend")
    return send_mail("Hi\nthere", "Text.", None, TO, connection=connection)


@case()
def locmem_odd_addresses():
    connection = get_connection(f"{DJANGO}.locmem.EmailBackend")
    addresses = ["Acme Inc. <a@example.com>", "b..c@example.com", "nonsense here", "x@\xfc.example"]
    sent = send_mail("Hi", "Text.", addresses[0], addresses, connection=connection)
    return sent, meaning(mail.outbox[0].message().as_bytes())


@case()
def console():
    stream = io.StringIO()
    connection = get_connection(f"{DJANGO}.console.EmailBackend", stream=stream)
    sent = connection.send_messages([message("Gr\xfc\xdfe")])
    text, line, rest = stream.getvalue().partition("-" * 79)
    return sent, meaning(text.encode()), len(line), rest


@case()
def console_own():
    stream = io.StringIO()
    connection = get_connection(f"{OWN}.Loud", stream=stream)
    return connection.send_messages([message()]), stream.getvalue().startswith("loud\n")


@case()
def filebased():
    with tempfile.TemporaryDirectory() as folder:
        connection = get_connection(f"{DJANGO}.filebased.EmailBackend", file_path=folder)
        sent = connection.send_messages([message(), message("Two.")])
        (path,) = Path(folder).glob("*.log")
        first = path.read_bytes().partition(b"-" * 79)[0]
    return sent, meaning(first)


@case("settings")
def filebased_settings():
    with (
        tempfile.TemporaryDirectory() as folder,
        override_settings(EMAIL_BACKEND=f"{DJANGO}.filebased.EmailBackend", EMAIL_FILE_PATH=folder),
    ):
        return send_mail("Hi", "Text.", None, TO), len(list(Path(folder).glob("*.log")))


@case("settings")
def filebased_no_path():
    with override_settings(EMAIL_BACKEND=f"{DJANGO}.filebased.EmailBackend"):
        return send_mail("Hi", "Text.", None, TO)


@case()
def dummy():
    connection = get_connection(f"{DJANGO}.dummy.EmailBackend")
    return connection.send_messages([message(), message()])


@case("settings")
def settings_login():
    with override_settings(EMAIL_HOST_USER="site", EMAIL_HOST_PASSWORD="site's password"):
        return send_mail("Hi", "Text.", None, TO), message().send()


@case("settings")
def settings_login_wrong():
    with override_settings(EMAIL_HOST_USER="site", EMAIL_HOST_PASSWORD="wrong"):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def settings_timeout_and_port_as_text():
    with override_settings(EMAIL_TIMEOUT=5, EMAIL_PORT=str(live_port())):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def settings_tls_and_ssl():
    with override_settings(EMAIL_USE_TLS=True, EMAIL_USE_SSL=True):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def settings_read():
    from django.conf import settings

    return [settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_USE_TLS]


@case()
def connection_is_smtp():
    return isinstance(get_connection(), EmailBackend)


@case()
def connection_copied():
    connection = get_connection(f"{DJANGO}.dummy.EmailBackend")
    return copy.copy(connection).send_messages([message()])


@case("settings")
def patched_send_messages():
    from unittest import mock

    with mock.patch(f"{DJANGO}.smtp.EmailBackend.send_messages", return_value=7) as double:
        return send_mail("Hi", "Text.", None, TO), double.call_count


@case("settings")
def patched_get_connection():
    from unittest import mock

    with mock.patch("django.core.mail.get_connection") as double:
        double.return_value.send_messages.return_value = 5
        return send_mail("Hi", "Text.", None, TO), message().send()


@case()
def patched_message_class():
    from unittest import mock

    with mock.patch("django.core.mail.EmailMultiAlternatives") as double:
        double.return_value.send.return_value = 3
        return send_mail("Hi", "Text.", None, TO, html_message="<p>")


@case()
def patched_smtplib():
    from unittest import mock

    with mock.patch(f"{DJANGO}.smtp.smtplib.SMTP") as double:
        double.return_value.sendmail.return_value = {}
        connection = EmailBackend("127.0.0.1", 25)
        sent = connection.send_messages([message()])
        return sent, double.return_value.sendmail.call_args[0][:2]
