"""Send one of everything, as on a busy day."""

from django.core.management.base import BaseCommand
from django.test import Client

from ferries import mail


class Command(BaseCommand):
    def handle(self, **options):
        client = Client(raise_request_exception=False)
        client.post("/book/", {"email": "ann@example.com"})
        mail.remind(["ann@example.com", "bob@example.com"])
        mail.announce_delay(["ann@example.com", "bob@example.com"])
        mail.send_timetable(["carol@example.com"])
        client.get("/broken/")
        self.stdout.write("Sailed.")
