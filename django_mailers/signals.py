"""The signals of this app. Their sender is the class of the backend that sends them."""

from __future__ import annotations

from django.dispatch import Signal

__all__ = [
    "mail_finished",
    "mail_queued",
    "mailer_recovered",
    "mailer_rested",
    "post_send",
    "pre_send",
]

# A message is about to be sent by the backend `observe`. A receiver may raise CancelSend.
# Arguments: message, alias (of that mailer).
pre_send = Signal()

# The backend `observe` has sent a message, could not send it, or it was cancelled.
# Arguments: message, alias (of that mailer), result (a SendResult), duration (of the whole batch,
# in seconds).
post_send = Signal()

# After a fault, a mailer of a failover or round robin is not used for a while.
# Arguments: alias (of the mailer that rests), mailer (the alias of the failover), fault (its kind,
# a str), seconds (of rest).
mailer_rested = Signal()

# That mailer has taken a message again. Arguments: alias, mailer.
mailer_recovered = Signal()

# A message was handed to a task engine. Arguments: message, alias, result (a SendResult).
mail_queued = Signal()

# The result of a message that was queued is final: no task will try it again.
# Arguments: message (None if it cannot be read any more), alias, result (a SendResult).
mail_finished = Signal()
