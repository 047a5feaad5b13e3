"""Hints for problems that a verification has found: what to change, and where."""

from __future__ import annotations

import smtplib
import socket
import ssl

PRIVATE = "Only hosts of the public internet are verified here."
UNVERIFIED = "Anybody on the way could read the mail. Use a context that verifies certificates."


def of_name(host: str) -> str:
    return f"Correct 'host', or look at the DNS of this machine: getent hosts {host}"


def of_connection(error: OSError, port: int) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "Nothing listens there. Correct 'host' and 'port', or start the server."
    if isinstance(error, TimeoutError | socket.timeout):
        return (
            f"A firewall may block port {port}, as many hosting providers do. Try 587, 465 or "
            "2525, or ask the provider."
        )
    return "Check the network of this machine, and its firewall."


def of_silence(port: int, security: str | None, *, is_timeout: bool) -> str:
    """What to do if no greeting came."""
    if security != "tls" and port == 465:
        return "Port 465 speaks TLS from the first byte: set 'use_ssl' instead of 'use_tls'."
    if is_timeout:
        return "If the server waits for TLS, set 'use_ssl'; otherwise it is slower than 'timeout'."
    return "If the server waits for TLS, set 'use_ssl'. It may also refuse this machine's address."


def of_banner(code: int, port: int) -> str:
    if code in {421, 450, 451, 452, 454}:
        return "The server does not accept mail at the moment: try again later."
    if 500 <= code < 600:
        return "The server refuses this machine. Use the submission port (587), or ask its owner."
    return f"Correct 'host' and 'port': port {port} is not that of a mail server."


def of_starttls(port: int) -> str:
    if port == 465:
        return "Port 465 speaks TLS from the first byte: set 'use_ssl' instead of 'use_tls'."
    return "Use the server's submission port, mostly 587; a firewall may also remove STARTTLS."


def of_tls(error: Exception, port: int, *, starttls: bool) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error)
    if isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in {
        "WRONG_VERSION_NUMBER",
        "RECORD_LAYER_FAILURE",
    }:
        return f"Port {port} does not speak TLS from the first byte: set 'use_tls' for 'use_ssl'."
    if isinstance(error, FileNotFoundError | PermissionError):
        return "Correct the path in 'ca_file', 'ssl_certfile' or 'ssl_keyfile'."
    if isinstance(error, ssl.SSLError):
        return "The server and this Python have no version of TLS or no cipher in common."
    if not starttls and port in {25, 587, 2525}:
        return f"Port {port} speaks TLS only after STARTTLS: set 'use_tls' instead of 'use_ssl'."
    return ""


def _of_certificate(error: ssl.SSLCertVerificationError) -> str:
    # OpenSSL's X509_V_ERR_*: has expired, is not yet valid; and the name, or the address.
    if error.verify_code == 10:
        return "The server's certificate has expired: it has to be renewed there."
    if error.verify_code == 9:
        return "The certificate is not valid yet, or the clock of this machine is wrong."
    if error.verify_code in {62, 64}:
        return "Set 'host' to a name that is in the certificate."
    return (
        "This machine does not trust the authority of the certificate. For one of your own set "
        "'ca_file'; else install the package ca-certificates."
    )


def of_login(error: Exception, *, is_encrypted: bool) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        if error.smtp_code == 535:
            return (
                "Correct 'username' and 'password'. Some providers want a password for this "
                "application, or a token."
            )
        if error.smtp_code < 500:
            return "The server cannot log in anybody at the moment, or there were too many logins."
        return "Read what the provider says about this code."
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "" if is_encrypted else "Most servers offer a login only after TLS: set 'use_tls'."
    return ""


def of_sender(code: int) -> str:
    if code == 530:
        return "The server wants a login: set 'username' and 'password'."
    if code >= 500:
        return "The account may not send as this address: register it with the provider."
    return "The server does not take mail from it at the moment: try again later."


def of_recipient(code: int) -> str:
    if code >= 500:
        return "The address does not exist, or the server relays only after a login."
    return "Try again later: some servers refuse a stranger for a while (greylisting)."
