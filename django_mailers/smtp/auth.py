"""Logging in by other means than a password."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

from .errors import hide


class XOAuth2:
    """AUTH XOAUTH2, as Google and Microsoft have it: a user name and an access token.

    `token` is called without arguments for one, a str. What it returns is used until the server
    refuses it; then it is called again, and the server is asked once more if the answer is another
    one. So it need not keep tokens itself, and may.

    Two of them are equal if user and `token` are. Threads may share one: at worst several of them
    call `token` when the old one has expired.
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
        if "XOAUTH2" not in session.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("AUTH XOAUTH2 not supported by server.")
        known = self._token
        token = self._token = known or self._get_token()
        try:
            self._login(session, token)
        except smtplib.SMTPAuthenticationError as error:
            # A failure of the server's own (454, RFC 4954, 4.7.3) says nothing about the token.
            if error.smtp_code < 500:
                raise
            self._token = None
            newer = self._get_token() if known else token
            if newer == token:
                raise
            self._login(session, newer)
            self._token = newer

    def _login(self, session: smtplib.SMTP, token: str) -> None:
        if not (self.username + token).isascii():
            raise ValueError("The user name and the token must be ASCII.")
        # The server answers a token that it does not take by a challenge that says why, which
        # awaits an empty line before it says so by a code.
        bearer = f"user={self.username}\1auth=Bearer {token}\1\1"
        try:
            session.auth("XOAUTH2", lambda challenge=None: bearer if challenge is None else "")
        except smtplib.SMTPException as error:
            hide(error, bearer, token)
            raise
