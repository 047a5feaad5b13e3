"""All mail that the shop itself sends, by the API that Django 6.1 documents."""

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, send_mail, send_mass_mail
from django.template.loader import render_to_string


def send_welcome(user):
    send_mail(
        "Welcome to Quay Books",
        render_to_string("mail/welcome.txt", {"user": user}),
        None,
        [user.email],
    )


def forward_question(name, email, question):
    """Forward a question to the shop. Reply-To is the customer, who gets the answer."""
    EmailMessage(
        "A question from the web site",
        f"{name} asks:\n\n{question}\n",
        to=settings.MANAGERS,
        reply_to=[email],
    ).send()


def send_pickup_notices(orders):
    """Tell each customer that an order is ready; `orders` are pairs of address and title."""
    send_mass_mail(
        [
            (f"{title} is here", f"{title} waits for you at the counter.\n", None, [address])
            for address, title in orders
        ]
    )


def send_newsletter(subject, text, html, subscribers):
    newsletter = EmailMultiAlternatives(
        subject,
        text,
        to=["newsletter@quaybooks.example"],
        bcc=subscribers,
    )
    newsletter.attach_alternative(html, "text/html")
    newsletter.send(using="newsletter")
