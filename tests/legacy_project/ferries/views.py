from django.conf import settings
from django.http import HttpResponse

from . import mail


def book(request):
    passenger = request.POST["email"]
    mail.confirm(passenger)
    mail.invoice(passenger)
    mail.note(f"Booked from {settings.EMAIL_HOST_USER}")
    return HttpResponse("Booked.")


def broken(request):
    raise RuntimeError("The engine is on fire.")
