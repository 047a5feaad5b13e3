"""The receivers in docs/mailers/observe.rst, with the real packages where they are installed."""

import re
import sys
import textwrap
import time
from pathlib import Path
from unittest import mock

from django.core.mail import mailers
from django.test import SimpleTestCase

from django_mailers import send_many
from django_mailers.signals import post_send

from .support import shapers
from .support.messages import message
from .support.shapers import IT, entry
from .support.wrappers import ShelfBackend

ROOT = Path(__file__).parent
PAGE = ROOT.parent / "docs" / "mailers" / "observe.rst"
SHELF = {"BACKEND": "tests.support.wrappers.ShelfBackend", "OPTIONS": {"shelf": "s", "size": 2}}


class RecipeTests(SimpleTestCase):
    def setUp(self):
        ShelfBackend.shelves.clear()
        self.addCleanup(ShelfBackend.shelves.clear)
        before = dict(sys.modules)

        def forget():
            for name in sys.modules.keys() - before.keys():
                if name.partition(".")[0] in {"opentelemetry", "prometheus_client"}:
                    del sys.modules[name]

        # At the end, as what is installed comes first.
        sys.path.append(str(ROOT / "support" / "standins"))
        self.addCleanup(sys.path.remove, sys.path[-1])
        self.addCleanup(forget)

    def run_recipe(self, file):
        """Execute the file of that name on the page; return its names."""
        found = re.search(rf"   :caption: mysite/{file}\n\n((?:   .*\n|\n)+)", PAGE.read_text())
        names = {"__name__": "recipe"}
        with mock.patch.object(post_send, "receivers", []):
            exec(textwrap.dedent(found[1]), names)
            receivers = post_send.receivers
        patched = mock.patch.object(post_send, "receivers", receivers)
        patched.start()
        self.addCleanup(patched.stop)
        return names

    def send(self, *names):
        with shapers.mailers(entry("observe", "shelf"), shelf=SHELF):
            return send_many([message(name) for name in names], using=IT)

    def test_prometheus(self):
        names = self.run_recipe("metrics.py")
        self.send("a", "two\nlines", "b", "full")
        import prometheus_client

        def value(name, **labels):
            return prometheus_client.REGISTRY.get_sample_value(name, labels)

        found = {
            (via, status): value("mail_messages_total", mailer=IT, via=via, status=status)
            for via in ("", "shelf")
            for status in ("sent", "failed", "refused")
        }
        self.assertEqual(
            {key: count for key, count in found.items() if count},
            {("shelf", "sent"): 2.0, ("", "failed"): 1.0, ("", "refused"): 1.0},
        )
        self.assertEqual(value("mail_batch_seconds_count", mailer=IT), 4.0)
        # Signals do not keep their receivers.
        self.assertIn("count", names)

    def test_opentelemetry(self):
        names = self.run_recipe("tracing.py")
        spans = []

        class Tracer:
            def start_span(self, name, **kwargs):
                spans.append({"name": name, **kwargs})
                return Span()

        class Span:
            def set_status(self, status):
                spans[-1]["error"] = status.description

            def end(self, end_time):
                spans[-1]["end_time"] = end_time

        names["tracer"] = Tracer()
        before = time.time_ns()
        self.send("a", "b", "full")
        for span in spans:
            self.assertTrue(before - 10**7 < span.pop("start_time") <= span["end_time"])
            self.assertLessEqual(span.pop("end_time"), time.time_ns())
        kind = names["SpanKind"].CLIENT
        sent = {"mail.mailer": IT, "mail.via": "shelf", "mail.status": "sent"}
        refused = {"mail.mailer": IT, "mail.via": "", "mail.status": "refused"}
        self.assertEqual(
            spans,
            [
                *[{"name": "send mail", "kind": kind, "attributes": sent}] * 2,
                {"name": "send mail", "kind": kind, "attributes": refused, "error": "OSError"},
            ],
        )

    def test_with_no_tracer_of_ours(self):
        """What get_tracer() returns takes these arguments."""
        names = self.run_recipe("tracing.py")
        with self.assertNoLogs("django.dispatch"), shapers.mailers(entry("observe")):
            self.assertEqual(mailers[IT].send_messages([message("a")]), 1)
        # Signals do not keep their receivers.
        self.assertIn("record_span", names)
