"""The backend "failover": what it does with messages, and with the mailers it has."""

from django.core import mail
from django.test import SimpleTestCase

from django_mailers.errors import MailersFailed

from .backend_contract import BackendContract
from .support.utils import LOCMEM
from .wrapper_contract import WrapperContract

FAILOVER = "django_mailers.backends.failover.EmailBackend"


class FailoverContractTests(WrapperContract, SimpleTestCase):
    wrapper = FAILOVER
    option = "mailers"
    unreachable = MailersFailed

    def options(self, alias):
        return {"mailers": [alias]}


class FailoverBackendTests(BackendContract, SimpleTestCase):
    backend = FAILOVER
    others = {"first": {"BACKEND": LOCMEM}, "second": {"BACKEND": LOCMEM}}
    takes_fail_silently = False
    opens = False

    def options(self):
        return {"mailers": ["first", "second"]}

    def arrived(self):
        return [str(message.subject) for message in mail.outbox]
