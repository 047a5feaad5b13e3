"""A site of one page, for the reports about the others."""

urlpatterns = []
