from django.urls import path
from ferries import views

urlpatterns = [
    path("book/", views.book),
    path("broken/", views.broken),
]
