"""What is known of a message after its delivery."""

from .servers import POLITE

TAKEN = ("bob@example.com", 250, "OK")
ALIAS = "relay"
# The commands of one message on a connection that stays open.
AGAIN = [step for step in POLITE if step[0] not in {None, "EHLO"}]


def facts(report):
    """Give what the report says, for messages without replies or errors only the status."""
    return [
        result.status
        if (result.code, result.text, result.recipients, result.error) == (None, "", (), None)
        else (result.status, result.code, result.text, [*result.recipients], repr(result.error))
        for result in report
    ]
