"""URLs of the test suite; a test that needs more overrides ROOT_URLCONF."""

from django.urls import path


def fail(request):
    raise ValueError("boom")


urlpatterns = [path("fail/", fail)]
