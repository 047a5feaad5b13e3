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

# A message has been sent by the backend `observe`, or it could not be, or was cancelled.
# Arguments: message, alias (of that mailer), result (a SendResult), duration (of the whole batch,
# in seconds).
post_send = Signal()

# A mailer of a failover or round robin is left alone for a while, after a fault.
# Arguments: alias (of the mailer that rests), mailer (the alias of the failover), fault (its kind,
# a str), seconds (of rest).
mailer_rested = Signal()

# It has taken a message again. Arguments: alias, mailer.
mailer_recovered = Signal()

# A message was handed to a task engine. Arguments: message, alias, result (a SendResult).
mail_queued = Signal()

# It is decided what becomes of a message that was queued: no task will try it again.
# Arguments: message (None if it cannot be read any more), alias, result (a SendResult).
mail_finished = Signal()
