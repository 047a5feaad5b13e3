from django.apps import apps
from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("shop.urls")),
    path("accounts/", include("django.contrib.auth.urls")),
    path("admin/", admin.site.urls),
]

if apps.is_installed("django_mail_preview"):
    # The pages are there while DEBUG is on.
    urlpatterns.append(path("__mail-preview__/", include("django_mail_preview.urls")))
