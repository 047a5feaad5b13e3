from django.urls import path
from django.views.generic import TemplateView

from shop import views

urlpatterns = [
    path("", TemplateView.as_view(template_name="shop/home.html"), name="home"),
    path("contact/", views.ContactView.as_view(), name="contact"),
    path("sign-up/", views.SignUpView.as_view(), name="sign_up"),
    path("broken/", views.broken, name="broken"),
]
