"""The parts of the backend `ratelimit`: the cost of a message, and the counters."""
