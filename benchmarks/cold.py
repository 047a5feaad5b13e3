"""Work in a process of its own: `python -m benchmarks.cold WORK COUNT MAILER`, a mailer as JSON.

Prints how many seconds a function of `benchmarks.sending` takes. Django is set up before that; what
the backend imports, loads and tries first is part of it.
"""

from __future__ import annotations

import json
import sys

from . import sending
from .work import set_up


def main() -> None:
    name, count, mailer = sys.argv[1:]
    set_up(MAILERS={"default": json.loads(mailer)})
    print(getattr(sending, name)("default", int(count)))


if __name__ == "__main__":
    main()
