"""A check for django-health-check: whether a mailer can connect and log in.

from django_mailers.diagnosis.health import MailerCheck

HealthCheckView.as_view(checks=["health_check.Database", MailerCheck("default")])
"""

from __future__ import annotations

import dataclasses
import datetime

from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable

from .verifying import verify


@dataclasses.dataclass
class MailerCheck(HealthCheck):  # type: ignore[misc, unused-ignore]
    """Verify the mailer `alias`, and those that it sends through. No message is sent.

    Its error names the step, but neither the address of a server nor its replies: the page may be
    public.
    """

    alias: str = "default"
    timeout: datetime.timedelta = dataclasses.field(
        default=datetime.timedelta(seconds=10), repr=False
    )

    def run(self) -> None:
        verification = verify(self.alias, timeout=self.timeout.total_seconds())
        if not verification.ok:
            step = verification.failed
            where = "one of its mailers" if step is None else f"the step {step.name!r}"
            raise ServiceUnavailable(f"The mailer {self.alias!r} failed at {where}.")
