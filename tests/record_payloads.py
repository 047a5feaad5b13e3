"""Record messages as this Django stores them for queues: `python -m tests.record_payloads`.

Run it with the oldest and the newest Django that are supported. tests/test_codec.py reads what each
has written on every other one, as a queue that is full when Django is upgraded has such messages.
"""

import json
import os
from pathlib import Path

FILE = Path(__file__).parent / "data" / "payloads.json"
NAMES = [
    "alternative_several",
    "alternative_with_attachments",
    "attachment_bytes",
    "attachment_legacy_image",
    "attachment_memoryview",
    "attachment_part_message",
    "attachment_part_related",
    "attachment_rfc822_django_nested",
    "attachment_rfc822_legacy_folded",
    "attachment_rfc822_python_smtp",
    "encoding_charset_object_qp",
    "everybody",
    "header_date_datetime",
    "header_same_in_other_case",
    "subclass_newsletter",
    "to_address_object",
]


def main():
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

    from django_mailers.delivery.codec import dump

    from .support.corpus import CORPUS, SETTINGS
    from .support.recordings import pinned

    recorded = json.loads(FILE.read_text()) if FILE.exists() else {}
    payloads = recorded[".".join(map(str, django.VERSION[:2]))] = {}
    for name in NAMES:
        with pinned(**SETTINGS.get(name, {})):
            payloads[name] = dump(CORPUS[name]())
    FILE.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
