"""The functions that send mail, with the arguments that they need."""

from django.core import mail

TO = ["to@example.com"]
ONE = ("subject", "body", None, TO)
CONNECTION_WITH_USING = "'connection' is not compatible with 'using'."
SILENT_WITH_USING = "'fail_silently' is not compatible with 'using'."
AUTH_WITH_USING = (
    "'auth_user' and 'auth_password' are not compatible with 'using'. "
    "Set 'username' and 'password' OPTIONS in MAILERS instead."
)
SILENT_WITH_CONNECTION = (
    "fail_silently cannot be used with a connection. "
    "Pass fail_silently to get_connection() instead."
)
AUTH_WITH_CONNECTION = (
    "auth_user and auth_password cannot be used with a connection. "
    "Pass auth_user and auth_password to get_connection() instead."
)


def send_mail(**kwargs):
    return mail.send_mail(*ONE, **kwargs)


def send_mass_mail(**kwargs):
    return mail.send_mass_mail([ONE], **kwargs)


def mail_admins(**kwargs):
    return mail.mail_admins("subject", "body", **kwargs)


def mail_managers(**kwargs):
    return mail.mail_managers("subject", "body", **kwargs)


def message_send(*, connection=None, **kwargs):
    return mail.EmailMessage(*ONE, connection=connection).send(**kwargs)


FUNCTIONS = [send_mail, send_mass_mail, mail_admins, mail_managers, message_send]
WITH_AUTH = [send_mail, send_mass_mail]


def outbox():
    return [(message.subject, message.sent_using) for message in mail.outbox]
