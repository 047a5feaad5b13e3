"""Mailers to name in MAILERS. Each is a module of its own, and its class is `EmailBackend`."""
