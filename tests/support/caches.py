"""Caches for claims, which work and which do not."""

from django.core.cache.backends.base import BaseCache


class Shared(BaseCache):
    """A dictionary; it counts as one that processes share, as any cache but Django's locmem."""

    stores = {}

    def __init__(self, name, params):
        super().__init__(params)
        self.store = self.stores.setdefault(name, {})

    def add(self, key, value, timeout=None, version=None):
        return self.store.setdefault(key, value) is value

    def get(self, key, default=None, version=None):
        return self.store.get(key, default)

    def clear(self):
        self.store.clear()


class Down(Shared):
    """Raises, as clients do that cannot reach their server."""

    def add(self, *args, **kwargs):
        raise ConnectionRefusedError("bob@example.com")

    get = add


class Quiet(Shared):
    """Says False, as clients do that ignore their errors."""

    def add(self, *args, **kwargs):
        return False

    def get(self, *args, **kwargs):
        return None


class Lossy(Shared):
    """Stores a claim, and the reply is lost, as long as `is_broken`."""

    is_broken = True

    def add(self, *args, **kwargs):
        added = super().add(*args, **kwargs)
        if self.is_broken:
            raise TimeoutError
        return added


def cache(name, location="claims"):
    """The setting CACHES with one of these."""
    return {"default": {"BACKEND": f"{__name__}.{name}", "LOCATION": location}}
