"""The parts of the backend `ratelimit`: what a message counts for, and the counters."""
