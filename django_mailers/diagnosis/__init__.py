"""What is wrong with a mailer: for `manage.py mailers`, and for forms that try credentials.

This room finds out and returns data; it prints nothing.
"""

from .steps import Step, Verification
from .verifying import verify

__all__ = ["Step", "Verification", "verify"]
