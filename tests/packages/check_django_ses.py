"""django-ses: a real boto3 client, and an endpoint of ours instead of Amazon's.

The package itself knows MAILERS. What its users wrote before has accounts mixed by
`get_connection(path, **options)`, which Django 6.1 refuses.
"""

from __future__ import annotations

import base64
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs

import django
from botocore.config import Config
from django.core import mail
from django.test import override_settings

from ..support.servers import HOST, TIMEOUT, enter
from .cases import CONNECTION_ARGUMENT, GET_CONNECTION, NO_PATH, PackageTestCase, without_bridge

BACKEND = "django_ses.SESBackend"
LINESEP = "From Django 6.0 on, a message has no 'linesep' argument. Use policy=email.policy.SMTP."
ANSWER = b"""
<SendRawEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/">
  <SendRawEmailResult><MessageId>1</MessageId></SendRawEmailResult>
  <ResponseMetadata><RequestId>2</RequestId></ResponseMetadata>
</SendRawEmailResponse>
"""
MESSAGE = {
    "subject": "S",
    "message": "one\ntwo",
    "from_email": "from@example.com",
    "recipient_list": ["to@example.com"],
}


class Endpoint(HTTPServer):
    """What Amazon's simple email service answers to SendRawEmail.

    `calls` has the access key that each call is signed with, the recipients and the message.
    """

    def __init__(self):
        super().__init__((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server_port}"
        self.calls = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.shutdown()
        self.thread.join(TIMEOUT)
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        if body["Action"] != ["SendRawEmail"]:
            self.send_error(400)
            return
        key = re.search(r"Credential=(\w+)/", self.headers["Authorization"])[1]
        recipients = [body[name][0] for name in sorted(body) if name.startswith("Destinations.")]
        self.server.calls.append((key, recipients, base64.b64decode(body["RawMessage.Data"][0])))
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *args):
        pass


class DjangoSESTests(PackageTestCase):
    def setUp(self):
        super().setUp()
        self.endpoint = enter(self, Endpoint())
        options = {
            "aws_access_key": "CONFIGURED",
            "aws_secret_key": "secret",
            "aws_region_name": "eu-west-1",
            "aws_region_endpoint": self.endpoint.url,
            # Else the environment may send this to a proxy.
            "aws_config": Config(proxies={}),
        }
        entries = {
            "default": self.smtp("first"),
            "ses": {"BACKEND": BACKEND, "OPTIONS": options},
        }
        # It would ask for a quota before it sends.
        enter(self, override_settings(MAILERS=entries, AWS_SES_AUTO_THROTTLE=None))

    def assertSent(self, expected_key):
        ((key, recipients, content),) = self.endpoint.calls
        self.assertEqual((key, recipients), (expected_key, ["to@example.com"]))
        head, _, body = content.partition(b"\r\n\r\n")
        self.assertIn(b"Subject: S\r\n", head)
        self.assertEqual(body, b"one\r\ntwo\r\n")
        self.assertEqual(self.arrived(), [])

    def test_sends_by_alias(self):
        """On Django 5.2 it renders with an argument that only 5.2's own classes had (H26)."""
        mail.send_mail(**MESSAGE, using="ses")
        self.assertSent("CONFIGURED")

    def test_get_connection(self):
        with self.deprecations() as deprecations:
            connection = mail.get_connection(BACKEND)
            mail.send_mail(**MESSAGE, connection=connection)
        self.assertSent("CONFIGURED")
        self.assertEqual(connection.alias, "ses")
        file = "packages/check_django_ses.py"
        expected = [
            (file, "connection = mail.get_connection(BACKEND)", GET_CONNECTION),
            (file, "mail.send_mail(**MESSAGE, connection=connection)", CONNECTION_ARGUMENT),
        ]
        if django.VERSION < (6, 0):
            # It asks for the version.
            line = 'return message.message().as_bytes(linesep="\\r\\n")'
            expected.append(("django_ses/__init__.py", line, LINESEP))
        self.assertEqual(deprecations, expected)

    def test_get_connection_with_options(self):
        with self.deprecations():
            mail.send_mail(
                **MESSAGE, connection=mail.get_connection(BACKEND, aws_access_key="GIVEN")
            )
        self.assertSent("GIVEN")

    @without_bridge()
    def test_without_bridge(self):
        with self.deprecations(), self.assertRaisesExactly(RuntimeError, NO_PATH):
            mail.get_connection(BACKEND)
