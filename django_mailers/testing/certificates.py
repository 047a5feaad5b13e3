"""The certificate that an SMTPServer makes for itself."""

from __future__ import annotations

import os
import ssl
import tempfile


class Certificate:
    """A certificate for `host`, signed by an authority of its own.

    Raises ModuleNotFoundError, which says what to install, if trustme is not installed.
    """

    def __init__(self, host: str) -> None:
        try:
            import trustme
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "SMTPServer(tls=...) makes a certificate with trustme, which is not installed: "
                "pip install 'django-mailers[test]', or pass an 'ssl_context'.",
                name=error.name,
            ) from error
        authority = trustme.CA()
        self._authority = authority.cert_pem.bytes()
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert(host, "localhost").configure_cert(self.context)

    def write(self) -> str:
        """Write the certificate of the authority into a file; return its path."""
        number, self._path = tempfile.mkstemp(suffix=".pem")
        with os.fdopen(number, "wb") as file:
            file.write(self._authority)
        return self._path

    def remove(self) -> None:
        """Remove that file."""
        os.remove(self._path)
