"""The first mail of a process: `python -m benchmarks.first MAILER`, a mailer as JSON.

Prints how many seconds `send_mail()` takes. Django is set up before that; what the backend imports
is part of it.
"""

from __future__ import annotations

import json
import sys
import time

from .work import ARGUMENTS, set_up


def main() -> None:
    set_up(MAILERS={"default": json.loads(sys.argv[1])})

    from django.core.mail import send_mail

    start = time.perf_counter()
    sent = send_mail(*ARGUMENTS)
    seconds = time.perf_counter() - start
    if sent != 1:
        raise RuntimeError("It was not sent.")
    print(seconds)


if __name__ == "__main__":
    main()
