"""What each engine is asked, in one mixin."""

import tempfile
import time
from collections import Counter
from contextlib import ExitStack

from ..support.redis import Redis
from ..support.servers import SMTPServer
from .crashing import PHASES
from .engines import Engine, wait_for
from .postgres import Postgres

GONE, LATER, NEVER = "gone@example.com", "later@example.com", "never@example.com"


class EngineCase:
    """A mixin for a SimpleTestCase.

    engine          The name of the engine.
    uses_postgres   Whether its database, if it has one, is PostgreSQL rather than SQLite.
    runs_again      Whether it runs a task again whose worker has died.
    gives_up_after  The seconds after which a worker that starts finds such a task.
    attempts        What it says of the runs of a task whose worker has died: which attempt it is.
    """

    engine: str
    uses_postgres = False
    runs_again = False
    gives_up_after = 0
    attempts = (1,)
    maxDiff = None

    def setUp(self):
        with ExitStack() as stack:
            redis = stack.enter_context(Redis())
            self.server = stack.enter_context(SMTPServer())
            environment = {"REDIS": redis.location, "SMTP_PORT": self.server.port}
            if self.uses_postgres:
                environment["POSTGRES"] = stack.enter_context(Postgres()).port
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            self.project = Engine(self.engine, folder, **environment)
            stack.callback(self.project.kill)
            if self.engine == "database":
                self.project.manage("migrate", "--verbosity=0")
            self.addCleanup(stack.pop_all().close)

    def arrived(self):
        return Counter(one.parse()["Subject"] for one in self.server.messages)

    def wait_for(self, condition, what):
        try:
            wait_for(condition, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.project.log()}") from error

    def test_messages_with_failures(self):
        """200 messages: refused for good, for now, and for ever for now; the rest arrives.

        Few of those that are tried again: for each run RQ forks.
        """
        refuse = self.server.refuse
        refuse[f"RCPT {GONE}"] = "550 5.1.1 No such user"
        refuse[f"RCPT {LATER}"] = refuse[f"RCPT {NEVER}"] = "451 4.7.1 Greylisted"
        count = self.project.run(
            f"""
special = {{"gone": {GONE!r}, "later": {LATER!r}, "never": {NEVER!r}}}
kinds = dict.fromkeys(range(5, 200, 20), "gone")
kinds |= {{1: "later", 31: "later", 61: "later", 2: "never"}}
messages = []
for n in range(200):
    kind = kinds.get(n, "good")
    messages.append(message(f"{{kind}} {{n}}", special.get(kind, "bob@example.com")))
print(mailers["default"].send_messages(iter(messages)))
"""
        )
        self.assertEqual(count, "200\n")
        self.project.start_worker()
        self.wait_for(lambda: len(self.arrived()) >= 50, "some of what is taken at once")
        del refuse[f"RCPT {LATER}"]
        self.wait_for(lambda: len(self.project.results()) == 200, "an outcome of each message")
        arrived = self.arrived()
        self.assertEqual({*arrived.values()}, {1})
        statuses = Counter(
            (subject.split()[0], status) for subject, status, _ in self.project.results()
        )
        self.assertEqual(
            statuses,
            {
                ("good", "sent"): 186,
                ("later", "sent"): 3,
                ("gone", "refused"): 10,
                ("never", "refused"): 1,
            },
        )
        self.assertEqual(
            sorted(arrived),
            sorted(s for s, status, _ in self.project.results() if status == "sent"),
        )
        log = (self.project.folder / "log.txt").read_text()
        self.assertNotIn("@example.com", log)

    def test_workers_that_are_killed(self):
        """Nobody gets a message twice, and each that did not arrive is named."""
        worker = self.project.start_worker()
        for phase in PHASES:
            with self.subTest(phase):
                worker = self.kill_in(phase, worker)
                subject = f"crash {phase}"
                self.check(phase, self.arrived()[subject], self.told(subject))

    def test_without_claims(self):
        """All there is then is the engine's own count; Celery has none."""
        phase = "after acceptance"
        subject = f"crash {phase}"
        self.kill_in(phase, self.project.start_worker(), alias="unclaimed")
        self.assertEqual(tuple(self.project.attempts(subject)), self.attempts)
        is_counted = self.attempts == (1, 2)
        self.assertEqual(
            (self.arrived()[subject], self.told(subject)),
            (self.attempts.count(1), ["unknown" if is_counted else "sent"] * self.runs_again),
        )

    def test_composed_mailers(self):
        """A failover, a rate limit that makes messages wait, and 10 MB with an inline image."""
        self.project.run(
            """
import email.message
from django.core.mail import EmailMultiAlternatives
mailers["reliable"].send_messages([message("reliable")])
mailers["limited"].send_messages([message(f"limited {n}") for n in range(6)])
large = EmailMultiAlternatives("large", "Text", "ada@example.com", ["bob@example.com"])
large.attach_alternative("<img src='cid:logo'>", "text/html")
image = email.message.MIMEPart()
image.set_content(b"PNG" * 100, "image", "png", cid="<logo>", disposition="inline")
large.attach(image)
large.attach("large.bin", bytes(range(256)) * 40 * 1024, "application/octet-stream")
mailers["default"].send_messages([large])
"""
        )
        self.project.start_worker()
        self.wait_for(lambda: len(self.project.results()) == 8, "an outcome of each message")
        names = ["large", *(f"limited {n}" for n in range(6)), "reliable"]
        self.assertEqual(
            sorted((subject, status) for subject, status, _ in self.project.results()),
            [(name, "sent") for name in names],
        )
        self.assertEqual(self.arrived(), Counter(names))
        self.assertIn("RateLimited", (self.project.folder / "log.txt").read_text())
        [large] = [one.parse() for one in self.server.messages if b"large.bin" in one.content]
        image, attachment = [
            part for part in large.walk() if part.get_filename() or part["Content-ID"]
        ]
        self.assertEqual((image["Content-ID"], image.get_content()), ("<logo>", b"PNG" * 100))
        self.assertEqual(attachment.get_content(), bytes(range(256)) * 40 * 1024)

    def kill_in(self, phase, worker, alias="crash"):
        """Queue a message that kills `worker`; return the next one, which has done its work."""
        subject = f"crash {phase}"
        self.queue(subject, alias=alias)
        self.wait_for(lambda: worker.poll() is not None, "the end of the worker")
        time.sleep(self.gives_up_after)
        following = self.project.start_worker()
        # Not before: Celery's worker has others at hand, which are only found after minutes.
        self.queue(*(f"after {phase} {n}" for n in range(3)))
        self.wait_for(lambda: self.arrived_after(phase) == 3, "the other messages")
        if self.runs_again:
            wanted = 2 if phase == "before result" else 1
            self.wait_for(lambda: len(self.told(subject)) == wanted, "what became of it")
        else:
            # Time in which it could be sent again.
            time.sleep(1)
        return following

    def queue(self, *subjects, alias="crash"):
        self.project.run(f"mailers[{alias!r}].send_messages([message(s) for s in {subjects!r}])")

    def arrived_after(self, phase):
        return sum(self.arrived()[f"after {phase} {n}"] for n in range(3))

    def told(self, subject):
        return [status for name, status, _ in self.project.results() if name == subject]

    def check(self, phase, copies, told):
        has_arrived = phase in {"after acceptance", "before result"}
        if phase == "before claim" and self.runs_again:
            self.assertEqual((copies, told), (1, ["sent"]))
        elif phase == "before result":
            self.assertEqual(copies, 1)
            self.assertEqual(told, ["sent", "unknown"] if self.runs_again else ["sent"])
        else:
            self.assertEqual(copies, int(has_arrived))
            self.assertEqual(told, ["unknown"] if self.runs_again else [])
        if not self.runs_again:
            self.assertIn("RUNNING", self.states())

    def states(self):
        """The states of the tasks that the engine still has."""
        return self.project.run(STATES[self.engine])


_CELERY = """
import os, redis
from django.conf import settings
client = redis.Redis.from_url(settings.CELERY_RESULT_BACKEND)
states = {"STARTED": "RUNNING"}
for key in client.scan_iter("celery-task-meta-*"):
    status = json.loads(client.get(key))["status"]
    print(states.get(status, status))
"""
STATES = {
    "database": """
from django_tasks_db.models import DBTaskResult
print(*DBTaskResult.objects.values_list("status", flat=True))
""",
    "rq": """
import django_rq
print("RUNNING" if django_rq.get_queue().started_job_registry.get_job_ids(cleanup=False) else "")
""",
    "celery": _CELERY,
}
