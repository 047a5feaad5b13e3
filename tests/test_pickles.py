"""Messages that one Django has pickled into a queue, and another one sends (H24)."""

import json

from django.test import SimpleTestCase

from .record_pickles import FILE, MESSAGES
from .support.processes import run_python

SHOW = """
def show(message):
    made = message.message()
    return [
        message.subject,
        message.from_email,
        message.recipients(),
        made["X-Shop"],
        [
            [part.get_content_type(), part.get_payload(decode=True).decode("latin-1").strip()]
            for part in made.walk()
            if not part.is_multipart()
        ],
    ]
"""

TEXT = ["text/plain", "Text."]
PLAIN = ["Plain", "from@example.com", ["to@example.com"], "1", [TEXT]]
SHOWN = {
    "plain": PLAIN,
    "full": [
        "Gr\xfc\xdfe",
        "\xc4nn <from@example.com>",
        ["to@example.com", "cc@example.com", "bcc@example.com"],
        None,
        [TEXT, ["text/html", "<p>Text.</p>"], ["text/plain", "File."], ["application/x-bin", "\0"]],
    ],
    "with_image": [
        "Image",
        "from@example.com",
        ["to@example.com"],
        None,
        [TEXT, ["image/png", "\x89PNG\r\n\x1a"]],
    ],
    "sent": PLAIN,
}


class PickleTests(SimpleTestCase):
    maxDiff = None

    def run_json(self, source, **options):
        process = run_python(SHOW + source, **options)
        self.assertEqual((process.returncode, process.stderr), (0, ""), process.stdout)
        return json.loads(process.stdout)

    def test_recorded(self):
        """What a bare Django 5.2 or 6.0 has pickled is sent with the bridge, on every Django."""
        shown = self.run_json(
            f"""
import base64, json, pickle
from pathlib import Path
configure(MAILERS_BRIDGE=True)
from django.core import mail
mail.outbox = []
recorded = json.loads(Path({str(FILE)!r}).read_text())
result = {{}}
for series, messages in recorded.items():
    for name, data in messages.items():
        message = pickle.loads(base64.b64decode(data))
        assert message.send() == 1
        result[f"{{series}} {{name}}"] = show(mail.outbox.pop())
print(json.dumps(result))
"""
        )
        self.assertEqual(
            shown,
            {
                f"{series} {make.__name__}": SHOWN[make.__name__]
                for series in ("5.2", "6.0")
                for make in MESSAGES
            },
        )

    def test_back_without_the_app(self):
        """What has been pickled under the app is sent by the same Django without it."""
        pickled = self.run_json(
            """
import base64, json, pickle, warnings
configure(MAILERS_BRIDGE=True)
warnings.simplefilter("ignore")
from tests.record_pickles import MESSAGES
print(json.dumps({
    make.__name__: base64.b64encode(pickle.dumps(make())).decode() for make in MESSAGES
}))
"""
        )
        shown = self.run_json(
            f"""
import base64, json, pickle, sys
import warnings
from django.core import mail
warnings.simplefilter("ignore")
settings.configure(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend", USE_TZ=True)
mail.outbox = []
result = {{}}
for name, data in {pickled!r}.items():
    message = pickle.loads(base64.b64decode(data))
    assert message.send() == 1
    result[name] = show(mail.outbox.pop())
assert not [name for name in sys.modules if name.startswith("django_mailers")]
print(json.dumps(result))
""",
            with_app=False,
        )
        self.assertEqual(shown, SHOWN)

    def test_there_and_back(self):
        """A message keeps its connection by both names, whatever sets it."""
        shown = self.run_json(
            """
import copy, json, pickle, warnings
configure(MAILERS_BRIDGE=True)
warnings.simplefilter("ignore")
from django.core import mail
first, second = mail.mailers["default"], mail.mailers["b"]
message = mail.EmailMessage(to=["to@example.com"], connection=first)
other = copy.copy(message)
other.connection = second
mail.outbox = []
message.send()
other.send()
pickle.loads(pickle.dumps(other)).send()
print(json.dumps([
    [sent.sent_using for sent in mail.outbox],
    message.connection is first,
    other.connection is second,
]))
"""
        )
        self.assertEqual(shown, [["default", "b", "b"], True, True])
