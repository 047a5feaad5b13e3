from django.contrib import messages
from django.contrib.auth import login
from django.urls import reverse_lazy
from django.views.generic import CreateView, FormView

from shop import mail
from shop.forms import ContactForm, SignUpForm


class ContactView(FormView):
    form_class = ContactForm
    template_name = "shop/contact.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form):
        mail.forward_question(**form.cleaned_data)
        messages.success(self.request, "Thank you! We answer within a day.")
        return super().form_valid(form)


class SignUpView(CreateView):
    form_class = SignUpForm
    template_name = "shop/sign_up.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form):
        response = super().form_valid(form)
        login(self.request, self.object)
        mail.send_welcome(self.object)
        return response


def broken(request):
    """Fail, to show the error report that is mailed when DEBUG is off."""
    raise LookupError("This shelf is empty.")
