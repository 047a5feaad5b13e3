"""URLs of the test suite; a test that needs more overrides ROOT_URLCONF."""

urlpatterns = []
