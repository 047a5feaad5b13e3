"""How hypothesis generates examples for this suite."""

import hypothesis

# The same examples each time: to find new ones is not the task of a suite that has to pass. And no
# limits of time, as on a machine that is busy everything is slow.
DETERMINISTIC = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=list(hypothesis.HealthCheck),
)
