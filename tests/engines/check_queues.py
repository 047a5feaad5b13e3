"""The engines that have their tasks in Redis: RQ, Celery, and one of streams."""

from django.test import SimpleTestCase

from .cases import EngineCase


class RQChecks(EngineCase, SimpleTestCase):
    engine = "rq"


class CeleryChecks(EngineCase, SimpleTestCase):
    engine = "celery"


class LateCeleryChecks(EngineCase, SimpleTestCase):
    """Celery that acknowledges a task when it is done."""

    engine = "celery-late"
    runs_again = True
    # A worker looks for them when it starts, and then after more than a minute.
    gives_up_after = 4
    attempts = (1, 1)


class StreamsChecks(EngineCase, SimpleTestCase):
    engine = "redis"
    runs_again = True
    attempts = (1, 2)
