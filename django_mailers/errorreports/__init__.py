"""Error mail: what the handler in log.py and the middleware have in common."""
