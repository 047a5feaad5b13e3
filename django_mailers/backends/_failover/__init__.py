"""The parts of failover and round robin: which mailers rest, and what became of each message."""
