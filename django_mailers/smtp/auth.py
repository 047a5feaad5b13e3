"""Logging in, by a password or an access token, without showing either."""

from __future__ import annotations

import hmac
import smtplib
import sys
from collections.abc import Callable
from typing import Any

from .errors import hide, without_frames

# smtplib's, in the order in which they are tried. The first one keeps the password to itself.
MECHANISMS = ("CRAM-MD5", "PLAIN", "LOGIN")
# Codes that are about a mechanism, not about the credentials (RFC 4954, 4 and 6): the server needs
# another one first, does not know this one, or finds it too weak.
ANOTHER = {432, 504, 534}
# Codes for a command that the server does not know. After the credentials they are about those.
NO_COMMAND = {500, 501, 502}


def log_in(
    session: smtplib.SMTP, username: str, password: str, *, initial_response_ok: bool = True
) -> tuple[int, bytes]:
    """Log in by the first mechanism that both sides know; return the server's reply.

    Unlike smtplib's `login()` it tries no other mechanism once the server has refused the
    credentials: a wrong password would be tried once by each, and servers lock accounts that see
    that too often. The next one is tried if what was refused is the mechanism itself.

    Raises `ValueError` for what is not ASCII, `smtplib.SMTPNotSupportedError`,
    `smtplib.SMTPAuthenticationError` and other `smtplib.SMTPException`.
    """
    outer = sys.exc_info()[1]
    try:
        return _log_in(session, username, password, initial_response_ok)
    except BaseException as error:
        hide(error, f"\0{username}\0{password}", password)
        del username, password
        without_frames(error, outer)
        raise error
    finally:
        # smtplib's functions take them from there; and a tool that dumps objects would, too.
        session.user = session.password = None  # type: ignore[assignment]


def _log_in(
    session: smtplib.SMTP, username: str, password: str, initial_response_ok: bool
) -> tuple[int, bytes]:
    # Before smtplib tries: its error shows the text that it could not encode.
    if not (username + password).isascii():
        raise ValueError("The user name and the password must be ASCII.")
    session.ehlo_or_helo_if_needed()
    if not session.has_extn("auth"):
        raise smtplib.SMTPNotSupportedError("SMTP AUTH extension not supported by server.")
    offered = session.esmtp_features["auth"].upper().split()
    mechanisms = [name for name in MECHANISMS if name in offered and _is_possible(name)]
    if not mechanisms:
        raise smtplib.SMTPException("No suitable authentication method found.")
    session.user, session.password = username, password
    while True:
        mechanism = mechanisms.pop(0)
        answers = _Answers(getattr(session, f"auth_{mechanism.lower().replace('-', '_')}"))
        try:
            return session.auth(mechanism, answers, initial_response_ok=initial_response_ok)
        except smtplib.SMTPAuthenticationError as error:
            code = error.smtp_code
            is_about_mechanism = code in ANOTHER or (code in NO_COMMAND and not answers.given)
            if not mechanisms or not is_about_mechanism:
                raise


class _Answers:
    """A mechanism of smtplib's, and whether it has told the server anything yet."""

    def __init__(self, mechanism: Callable[..., str]) -> None:
        self._mechanism = mechanism
        self.given = False

    def __call__(self, challenge: bytes | None = None) -> Any:
        answer = self._mechanism(challenge)
        self.given = self.given or answer is not None
        return answer


def _is_possible(mechanism: str) -> bool:
    if mechanism != "CRAM-MD5":
        return True
    try:
        hmac.digest(b"key", b"", "md5")
    except ValueError:  # OpenSSL by the rules of FIPS
        return False
    return True


class XOAuth2:
    """AUTH XOAUTH2, as Google and Microsoft have it: a user name and an access token.

    username  The user name.
    token     Called without arguments; returns an access token, a str. A token is used until the
              server refuses it; then `token` is called again, and if it returns another one, the
              server is asked once more. So it may keep tokens itself, but need not.

    Two instances are equal if both arguments are. Threads may share one: at worst several of them
    call `token` when the old token has expired.
    """

    def __init__(self, username: str, token: Callable[[], str]) -> None:
        self.username = username
        self._get_token = token
        self._token: str | None = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, XOAuth2):
            return NotImplemented
        return (self.username, self._get_token) == (other.username, other._get_token)

    def __hash__(self) -> int:
        return hash((self.username, self._get_token))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __call__(self, session: smtplib.SMTP) -> None:
        """Log in.

        Raises `smtplib.SMTPAuthenticationError` if the server refuses a new token,
        `smtplib.SMTPNotSupportedError` if it does not know the mechanism, and what `token` does.
        """
        outer = sys.exc_info()[1]
        try:
            self._log_in(session)
        except BaseException as error:
            without_frames(error, outer, below=XOAuth2._call_for_token)
            raise error

    def _log_in(self, session: smtplib.SMTP) -> None:
        if "XOAUTH2" not in session.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("AUTH XOAUTH2 not supported by server.")
        known = self._token
        token = self._token = known or self._call_for_token()
        try:
            self._show(session, token)
        except smtplib.SMTPAuthenticationError as error:
            # A failure of the server's own (454, RFC 4954, 4.7.3) says nothing about the token.
            if error.smtp_code < 500:
                raise
            self._token = None
            newer = self._call_for_token() if known else token
            if newer == token:
                raise
            self._show(session, newer)
            self._token = newer

    def _call_for_token(self) -> str:
        return self._get_token()

    def _show(self, session: smtplib.SMTP, token: str) -> None:
        if not (self.username + token).isascii():
            raise ValueError("The user name and the token must be ASCII.")
        # The server answers a token that it refuses with a challenge that says why, and awaits an
        # empty line before it replies with a code.
        bearer = f"user={self.username}\1auth=Bearer {token}\1\1"
        try:
            session.auth("XOAUTH2", lambda challenge=None: bearer if challenge is None else "")
        except smtplib.SMTPException as error:
            hide(error, bearer, token)
            raise
