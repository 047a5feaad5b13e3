"""Resolvers for the backend `route`."""

NOT_CALLABLE = {"acme": "memory"}


def to_memory(message):
    return "memory"


def to_target(message):
    return "target"


def nowhere(message):
    return None


def by_subject(message):
    """The alias that is its subject; "none" for None."""
    return None if message.subject == "none" else message.subject


async def asynchronous(message):
    return "memory"


class Resolver:
    """An instance is a resolver that returns what it is told, by the subject of a message."""

    def __init__(self, choices):
        self.choices = choices
        self.asked = []

    def __call__(self, message):
        self.asked.append(message.subject)
        choice = self.choices[message.subject]
        if isinstance(choice, Exception):
            raise choice
        return choice
