"""Django's SMTP backend with our bytes and our errors, for subclasses written for Django's."""

from __future__ import annotations

import smtplib
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from django.core.mail.backends import smtp as django_smtp

from django_mailers.render import addr_spec, render
from django_mailers.smtp.errors import annotate, endpoint, hide, is_reply, without_frames
from django_mailers.smtp.wire import checked

if TYPE_CHECKING:
    from django_mailers.types import Message


class DjangosBackend(django_smtp.EmailBackend):
    """Django's backend, but with our addresses and bytes. Its errors show no secrets."""

    # Django's attributes
    alias: str | None
    timeout: float | None
    connection: Any
    _partial_connection: Any

    def prep_address(self, address: Any, force_ascii: bool = True) -> str:
        """Return `address` as it goes into the envelope: Django's method, but faster.

        A full stop in the name is accepted, as in "Acme Inc. <a@example.com>".
        """
        plain = addr_spec(address)
        if plain:
            return plain
        # Imported here because most processes never need them.
        from django_mailers.mailboxes import unnamed

        bare: Any = unnamed(address)
        prepared = checked(super().prep_address(bare, force_ascii))
        if force_ascii and not prepared.isascii():
            from django_mailers.render import localparts

            raise localparts.refusal(address)
        return prepared

    def _send(self, email_message: Any) -> bool:
        """Send a message by `connection`: as Django's method, but with the bytes of `render()`."""
        if not email_message.recipients():
            return False
        sender = self.prep_address(email_message.from_email)
        recipients = [self.prep_address(name) for name in email_message.recipients()]
        content = self._content(email_message)
        try:
            self.connection.sendmail(sender, recipients, content)
        except smtplib.SMTPException:
            if self.fail_silently:
                return False
            raise
        return True

    def _content(self, message: Message, *, is_alone: bool = False) -> bytes:
        """Return `message` as it goes over the wire; `is_alone` is for `render()`."""
        return render(message, is_alone=is_alone)

    def _annotate(self, error: BaseException) -> None:
        """Say whose reply `error` is, if it is one: its own text is the server's."""
        if is_reply(error):
            to = "" if self.alias is None else f" to the mailer {self.alias!r}"
            annotate(error, f"Reply of {endpoint(self.host, self.port)}{to}.")

    def _open_as_django(self) -> bool | None:
        return self._as_django(super().open)

    def _send_as_django(self, messages: Iterable[Message]) -> int:
        return self._as_django(super().send_messages, messages)

    def _as_django(self, method: Callable[..., Any], *args: Any) -> Any:
        """Call a method of Django's; what it raises shows no more than what ours do."""
        outer = sys.exc_info()[1]
        try:
            return method(*args)
        except Exception as error:
            self._annotate(error)
            # It is useless, and Django keeps it until the garbage collector runs.
            partial, self._partial_connection = self._partial_connection, None
            if partial is not None:
                partial.close()
            tb, login = error.__traceback__, smtplib.SMTP.login.__code__
            if all(frame.f_code is not login for frame, _ in traceback.walk_tb(tb)):
                raise
            hide(error, f"\0{self.username}\0{self.password}", self.password)
            failure = without_frames(error, outer)
        if isinstance(failure, UnicodeError):
            # It has what it could not encode among its attributes.
            failure = ValueError("The user name and the password must be ASCII.")
        raise failure
