"""Settings of the demo's worker: those of the site, and what the demo overrides, as JSON."""

import json
import os

from quaybooks.settings import *  # noqa: F403

globals().update(json.loads(os.environ["DEMO_SETTINGS"]))
