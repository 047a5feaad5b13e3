from django.conf import settings
from django.urls import include, path

from django_mailers.views import OneClickUnsubscribeView


class UnsubscribeView(OneClickUnsubscribeView):
    def unsubscribe(self, subscription):
        with (settings.FOLDER / "unsubscribed").open("a") as file:
            file.write(f"{subscription}\n")


urlpatterns = [
    path("", include("quaybooks.urls")),
    path("unsubscribe/<str:token>/", UnsubscribeView.as_view(), name="unsubscribe"),
]
