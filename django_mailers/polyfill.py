"""stub, being written"""
from typing import Any


def install() -> None:
    pass


def removed_in_django_2028_warning() -> Any:
    from django.utils import deprecation

    return getattr(deprecation, "RemovedInDjango2028Warning", None) or deprecation.RemovedInDjango70Warning
