from django.conf import settings
from django.core import mail
from django.core.mail import EmailMessage, get_connection, send_mail, send_mass_mail
from django.core.mail import get_connection as open_log_book


def confirm(passenger):
    """One mail, the way it stood in the documentation."""
    send_mail(
        "Your ticket",
        "Keep it at hand when you board.",
        None,  # DEFAULT_FROM_EMAIL
        [passenger],
        fail_silently=False,
    )


def invoice(passenger):
    message = EmailMessage(
        "Your invoice",
        "Due in 14 days.",
        to=[passenger],
        connection=get_connection(),
    )
    message.attach("invoice.txt", "One crossing: 12.00", "text/plain")
    message.send(fail_silently=False)


def remind(passengers):
    """Several mails over one connection."""
    connection = mail.get_connection(fail_silently=False)
    connection.send_messages(
        [
            EmailMessage("Tomorrow you sail", "Be there at 9.", to=[passenger])
            for passenger in passengers
        ]
    )


def announce_delay(passengers):
    with get_connection() as connection:
        for passenger in passengers:
            EmailMessage(
                "Your ferry is late", "By an hour.", to=[passenger], connection=connection
            ).send()


def send_timetable(subscribers):
    """From an account of its own."""
    send_mass_mail(
        [
            ("Timetable", "Ferries leave on the hour.", "timetable@harbour.example", [subscriber])
            for subscriber in subscribers
        ],
        fail_silently=False,
        auth_user=settings.TIMETABLE_SMTP_USER,
        auth_password=settings.TIMETABLE_SMTP_PASSWORD,
    )


def note(text):
    book = open_log_book("ferries.backends.LogBookBackend")
    EmailMessage(text, "", to=["logbook@harbour.example"], connection=book).send()
