"""What a process does otherwise for its first message, so that it is soon sent."""

import copy
import pickle
import threading
from unittest import mock

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.test import SimpleTestCase

from django_mailers import delivery, smtp
from django_mailers import render as rendering
from django_mailers.render import render
from django_mailers.smtp import Pool, PoolOptions, Reply, Server, TLSConfig
from django_mailers.smtp.envelope import Record
from django_mailers.smtp.replies import _plain

from .support.processes import run_python
from .support.servers import HOST, TIMEOUT, enter
from .support.sink import Sink

BACKEND = "django_mailers.backends.smtp.EmailBackend"


def usual(kind=EmailMessage, **values):
    values = {"body": "Body", "from_email": "a@example.com", "to": ["b@example.com"], **values}
    return kind("Subject", **values)


class RenderingTests(SimpleTestCase):
    """One small message that is alone is left to Django's rendering."""

    def ways(self, message, *, is_alone=True):
        """By which ways the first two messages of a process are written."""
        ways = []
        with (
            mock.patch.object(rendering._Process, "has_rendered", False),
            mock.patch.object(rendering, "normally", lambda message: ways.append("Django's")),
            mock.patch(
                "django_mailers.render.direct.written", lambda message: ways.append("ours") or b"x"
            ),
        ):
            for _ in range(2):
                render(message, is_alone=is_alone)
        return ways

    def test_a_small_message(self):
        for message in [
            usual(),
            usual(EmailMultiAlternatives),
            usual(to=["b@example.com", "c@example.com"], cc=["d@example.com"]),
            usual(body="x" * rendering.SMALL_BODY),
        ]:
            self.assertEqual(self.ways(message), ["Django's", "ours"])

    def test_others(self):
        html = usual(EmailMultiAlternatives)
        html.attach_alternative("<p>Body</p>", "text/html")
        broken = usual()
        broken.body = None
        for message in [
            html,
            broken,
            object(),
            usual(attachments=[("a.txt", "A", "text/plain")]),
            usual(to=["b@example.com"] * 4),
            usual(body="x" * (rendering.SMALL_BODY + 1)),
        ]:
            self.assertEqual(self.ways(message), ["ours", "ours"])

    def test_one_of_several(self):
        self.assertEqual(self.ways(usual(), is_alone=False), ["ours", "ours"])

    def test_the_bytes_are_the_same(self):
        sink = enter(self, Sink())
        process = run_python(f"""
            configure(MAILERS={{"default": {{
                "BACKEND": {BACKEND!r}, "OPTIONS": {{"host": {HOST!r}, "port": {sink.port}}}
            }}}})
            from django.core.mail import EmailMessage, mailers
            headers = {{"Date": "Fri, 02 Jan 2026 03:04:05 +0000", "Message-ID": "<1@example.com>"}}
            def message():
                return EmailMessage("S\u00fc\u00df", "Body\\n.\\n", "Ann <a@example.com>",
                                    ["b@example.com"], headers=headers)
            for _ in range(3):
                mailers.default.send_messages([message()])
            mailers.default.send_messages([message(), message()])
        """)
        self.assertEqual((process.stdout, process.stderr), ("", ""))
        self.assertEqual(len(sink.accepted), 5)
        self.assertEqual(len({message.content for message in sink.accepted}), 1)


class RecordTests(SimpleTestCase):
    def test_it_is_a_tuple_with_names(self):
        reply = Reply(250, b"Ok")
        code, text = reply
        self.assertEqual((code, text), (reply.code, reply.text))
        self.assertEqual(reply, (250, b"Ok"))
        self.assertEqual(repr(reply), "Reply(code=250, text=b'Ok')")
        self.assertEqual(reply._replace(code=251), Reply(251, b"Ok"))
        with self.assertRaises(AttributeError):
            reply.code = 251

    def test_copies(self):
        for record in [Reply(250, b"Ok"), PoolOptions(max_age=7), TLSConfig("ca.pem")]:
            for twin in [copy.copy(record), pickle.loads(pickle.dumps(record))]:
                self.assertEqual((type(twin), twin), (type(record), record))

    def test_a_name_that_is_not_one(self):
        with self.assertRaisesMessage(TypeError, "Reply has only these: code, text"):
            Reply(250, b"Ok")._replace(number=1)

    def test_it_is_not_a_named_tuple(self):
        self.assertEqual(Reply.__mro__, (Reply, Record, tuple, object))


class RepliesTests(SimpleTestCase):
    def test_replies_of_one_line(self):
        for data, replies, position in [
            (b"250 Ok\r\n", [(250, b"Ok")], 8),
            (b"250 Ok\r\n354\tGo on \r\n2", [(250, b"Ok"), (354, b"Go on")], 20),
            (b"250 Ok\r\n250-More\r\n", [(250, b"Ok")], 8),
            (b"250 " + b"x" * 994 + b"\r\n", [(250, b"x" * 994)], 1000),
            (b"250 \r\n", [(250, b"")], 6),
        ]:
            with self.subTest(data=data):
                self.assertEqual(_plain(data, 0, 9), (replies, position))

    def test_what_is_read_with_more_care(self):
        for data in [
            *(b"", b"\r\n", b"250", b"250\r\n", b"250 Ok", b"250 Ok\n", b"250 Ok\r", b"25 Ok\r\n"),
            *(b"2500 Ok\r\n", b"250-Ok\r\n", b"250 O\nk\r\n", b"250 O\rk\r\n", b"250 Ok\r\r\n"),
            *(b"2x0 Ok\r\n", b"250\n\r\n", b"250 " + b"x" * 2000 + b"\r\n", b"\xb2\xb2\xb2 Ok\r\n"),
        ]:
            with self.subTest(data=data):
                self.assertEqual(_plain(data, 0, 9), ([], 0))

    def test_no_more_than_asked_for(self):
        self.assertEqual(_plain(b"250 A\r\n" * 3, 0, 2), ([(250, b"A")] * 2, 14))


class LazyNamesTests(SimpleTestCase):
    def test_they_are_imported_once(self):
        """An interrupt in import_module(), at each use, would leave its lock locked."""
        for room in (smtp, delivery):
            for name in room.__all__:
                value = getattr(room, name)
                with self.subTest(name), mock.patch.object(room, "import_module") as importing:
                    self.assertIs(getattr(room, name), value)
                    self.assertIs(vars(room)[name], value)
                importing.assert_not_called()


class LimitsTests(SimpleTestCase):
    """What a pool has found out is made when it is first needed."""

    def test_threads_get_the_same(self):
        for _ in range(20):
            pool = Pool(Server(HOST, 25))
            barrier, found = threading.Barrier(4), []

            def find(pool=pool, barrier=barrier, found=found):
                barrier.wait(TIMEOUT)
                found.append(pool.limits)

            threads = [threading.Thread(target=find) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual([*map(id, found)], [id(pool.limits)] * 4)

    def test_a_child_has_none_of_the_parents(self):
        pool = Pool(Server(HOST, 25))
        limits = pool.limits
        pool._abandon()
        self.assertIsNot(pool.limits, limits)

    def test_asking_makes_none(self):
        pool = Pool(Server(HOST, 25))
        self.assertEqual(pool.stats()["message_limit"], 0)
        self.assertNotIn("_limits", vars(pool))
