"""Workers that are killed, with all their processes, at one point of a delivery.

A message whose subject is "crash PHASE" kills the worker that has it, once.
"""

import json
import os
import signal
import smtplib
from pathlib import Path

from django.core.mail.backends import smtp

PHASES = ("before claim", "after claim", "during delivery", "after acceptance", "before result")


def crash(subject, phase):
    """Kill this worker, and the processes that it belongs to, if the message says so."""
    if subject != f"crash {phase}":
        return
    marker = Path(os.environ["FOLDER"], f"{phase}.txt")
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return
    session, own = os.getsid(0), os.getpid()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != own:
            try:
                if os.getsid(int(folder.name)) == session:
                    os.kill(int(folder.name), signal.SIGKILL)
            except ProcessLookupError:
                continue
    os.kill(own, signal.SIGKILL)


class Connection(smtplib.SMTP):
    subject = ""

    def data(self, msg):
        if self.subject == "crash during delivery":
            self.putcmd("data")
            self.getreply()
            self.send(msg[: len(msg) // 2])
            crash(self.subject, "during delivery")
            # Not the first time.
            self.send(msg[len(msg) // 2 :] + b"\r\n.\r\n")
            return self.getreply()
        reply = super().data(msg)
        crash(self.subject, "after acceptance")
        return reply


class EmailBackend(smtp.EmailBackend):
    connection_class = Connection

    def send_messages(self, email_messages):
        self.open()
        self.connection.subject = email_messages[0].subject
        return super().send_messages(email_messages)


def install():
    """Let the worker of this process crash before and after it has claimed a message."""
    from django_mailers.tasks import claims, worker

    subject = attempt = None
    load, claim, run = worker.load, claims.claim, worker.run

    def noting_load(text):
        nonlocal subject
        message = load(text)
        subject = message.subject
        append(Path(os.environ["FOLDER"], "attempts.txt"), subject, attempt)
        return message

    def crashing_claim(ticket, token):
        crash(subject, "before claim")
        outcome = claim(ticket, token)
        crash(subject, "after claim")
        return outcome

    def crashing_run(context, *args):
        nonlocal attempt
        attempt = context.attempt
        try:
            return run(context, *args)
        finally:
            crash(subject, "before result")

    worker.load, claims.claim, worker.run = noting_load, crashing_claim, crashing_run


def append(path, *values):
    with path.open("a") as file:
        file.write(f"{json.dumps(values)}\n")


def note_results(path):
    """Append what `mail_finished` says to a file."""
    from django_mailers.signals import mail_finished

    def note(sender, message, alias, result, **kwargs):
        append(path, message and message.subject, result.status, type(result.error).__name__)

    mail_finished.connect(note, weak=False)
