"""Where an outcome with the app is another one than without it, and why that is better.

What is in no table is equal. `kind` is that of `compare.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

ALL = ("settings", "mailers", "pooled")


@dataclass(frozen=True)
class Difference:
    """A difference that is meant, with its reason; in all `ways` unless it says otherwise.

    `kind` may be two with "|" in between, and `sometimes` says that there may be none, where it
    depends on the Python.
    """

    kind: str
    reason: str
    ways: tuple[str, ...] = ALL
    sometimes: bool = False


def sent(reason, *names, sometimes=False):
    return {name: Difference("sent", reason, sometimes=sometimes) for name in names}


def other(reason, *names, sometimes=False):
    return {name: Difference("other", reason, sometimes=sometimes) for name in names}


def refused(reason, *names):
    return {name: Difference("refused", reason) for name in names}


def error(reason, *names):
    return {name: Difference("error", reason) for name in names}


# The three that the principle names.
EXCEPTIONS = {
    **refused("Django 6.1: it would be shown to everybody", "header_bcc"),
    # From Python 3.14 on a bare Django refuses it as well.
    "header_name_line_break": Difference(
        "refused|error", "an injection: it begins a line of its own", sometimes=True
    ),
}
NON_ASCII_LOCAL_PART = refused(
    "Django 6.0: there is no encoding that a server understands",
    "address_non_ascii_local_part",
    "bcc_non_ascii_local_part",
)

EVERYWHERE = {
    **sent(
        "the backend gets no username=None: a backend that takes fail_silently alone works",
        "backend_fail_silently_only_by_send_mail",
    ),
    **error("says which setting is missing", "filebased_no_path"),
    **other(
        "the name that is not set is None, as from MAILERS",
        "get_connection_attributes",
    ),
    **error("names the mailer", "get_connection_tls_and_ssl"),
    "send_mass_mail_bad_in_the_middle": Difference(
        "other", "our backend tries those behind the bad one, too", ("pooled",)
    ),
}
for _name in ("get_connection_attributes", "get_connection_tls_and_ssl"):
    EVERYWHERE[_name] = Difference(
        EVERYWHERE[_name].kind, EVERYWHERE[_name].reason, ("mailers", "pooled")
    )

WORD = "5.2 ends the header there, or makes a space of it: now it arrives encoded"
TWICE = "5.2 writes a second header, which none should have: there is one, Django's own"
BYTES = "Django 6.0 takes any object as text, and decodes bytes"
ADDRESSES = "Django 6.0: a list of addresses"
LEGACY = "5.2 fails on a message() that returns a class of Python's"
SLIP = "a slip of the caller's in either case"

FULL_STOPS = {
    "address_full_stop_in_name",
    "address_full_stop_in_non_ascii_name",
    "address_full_stop_inside_name",
    "address_full_stop_long_list",
    "address_idn_domain_full_stop_in_name",
    "address_initials",
    "address_two_with_full_stop",
    "bcc_full_stop_in_name",
    "default_from_email_full_stop",
    "default_from_email_non_ascii",
    "handler_server_email_full_stop",
    "mail_managers_server_email_full_stop",
}

DIFFERENCES: dict[str, dict[str, Difference]] = {
    "5.2": {
        **EXCEPTIONS,
        **NON_ASCII_LOCAL_PART,
        **EVERYWHERE,
        **other(
            WORD,
            "handler_pasted_characters",
            "pasted_at_the_ends",
            "pasted_into_file_name",
            "pasted_into_from_name",
            "pasted_into_header",
            "pasted_into_long_subject",
            "pasted_into_non_ascii_subject",
            "pasted_into_recipient_name",
            "pasted_into_subject",
            "subclass_message_headers",
        ),
        **sent(WORD, "pasted_behind_recipient"),
        **other(
            TWICE,
            "header_content_transfer_encoding",
            "header_content_type",
            "header_message_id_twice",
            "header_mime_version",
            "header_subject",
            "header_subject_lower",
            "subclass_message_subject_twice",
        ),
        **sent(
            BYTES,
            "alternative_bytes_as_text",
            "attachment_number_as_binary",
            "attachments_put_in_directly_bytes_as_text",
            "message_body_none_later",
            "send_mail_body_bytes",
            "send_mail_body_exception",
            "send_mail_body_number",
        ),
        **other(BYTES, "header_bytes"),
        **other("UTF-8 instead of Python's own escapes", "attachment_str_as_binary"),
        "send_mail_lone_surrogate_in_body": Difference(
            "other|sent", "a character that says so, instead of a broken one or an error"
        ),
        **sent("Django 6.0 takes pairs in the list (H28)", "alternatives_put_in_directly_tuple"),
        **sent("Django 6.0 makes a message of it", "attachment_message_delivery_status"),
        **other("the message itself, not base64 of it", "attachment_message_partial"),
        **other("a date that mail servers can read", "date_from_datetime"),
        **sent(
            "Django 6.0 leaves odd characters to the encoding",
            "header_name_non_ascii",
            "header_surrogate",
            sometimes=True,
        ),
        **other("what get_charset() says is of Python's legacy API", "headers_of_message"),
        **sent("nothing is sent, so no address need be valid", "locmem_odd_addresses"),
        **sent(
            ADDRESSES,
            "mail_admins_malformed",
            "mail_admins_strings",
            "mail_admins_strings_of_two_letters",
        ),
        **error(ADDRESSES, "mail_admins_mixed"),
        **other(
            "the address alone, as from Django 6.0 on: smtplib cuts it out anyway",
            "patched_smtplib",
        ),
        **sent(LEGACY, "subclass_message_from_bytes", "subclass_message_wrapped"),
        **error("ValueError, for what is wrong with the address", "address_empty_brackets"),
        **error("BadHeaderError, as for other headers", "attachment_filename_line_break"),
        **error(
            SLIP,
            "attachment_filename_path",
            "attachment_object_with_str",
            "attachments_put_in_directly_pair",
        ),
        "address_nonsense": Difference(
            "sent", "what has no domain is written in quotes, as it must be", ("pooled",)
        ),
        "address_unclosed_quote": Difference(
            "sent", "what has no domain is written in quotes, as it must be", ("pooled",)
        ),
    },
    "6.0": {
        **EXCEPTIONS,
        **EVERYWHERE,
        "send_mail_subject_line_break_at_end": Difference(
            "refused", "old Pythons write it out (python/cpython#121650)", sometimes=True
        ),
        **sent(
            "with the bridge, subclasses for Django 5.2 work",
            "instance_alternative_subtype",
            "instance_mixed_subtype",
            "instance_mixed_subtype_as_it_was",
            "mime_image_related",
            "subclass_message",
            "subclass_message_from_bytes",
            "subclass_message_of_legacy_classes",
            "subclass_message_wrapped",
            "subclass_mixed_subtype",
            "subclass_subtypes_as_they_were",
            "subtypes_read",
        ),
        **error("which is what is wrong", "subclass_message_subject_twice"),
        **{
            name: Difference("sent", "our backend takes full stops in names", ("pooled",))
            for name in FULL_STOPS
        },
    },
    "6.1": {
        # Django's own, with the app or without: what comes behind it is body, and never the same.
        "send_mail_subject_line_break_at_end": Difference(
            "other", "old Pythons write it out (python/cpython#121650)", sometimes=True
        ),
    },
}

# What Django 5.2 cannot write out from Python 3.14 on, which refuses line ends of any kind.
for _name, _kind in {
    "handler_pasted_characters": "other|sent",
    "pasted_into_file_name": "other|sent",
    "pasted_into_from_name": "other|sent",
    "pasted_into_header": "other|sent",
    "pasted_into_subject": "other|sent",
}.items():
    DIFFERENCES["5.2"][_name] = replace(DIFFERENCES["5.2"][_name], kind=_kind)

# What Django 6.1 refuses; what of it is sent before that is deprecated. A test on 6.1 says whether
# this is so.
REFUSED_BY_61 = {
    "address_dots_with_name",
    "address_dots_with_non_ascii_name",
    "address_full_stop_in_name",
    "address_full_stop_in_non_ascii_name",
    "address_full_stop_inside_name",
    "address_full_stop_long_list",
    "address_idn_domain_full_stop_in_name",
    "address_initials",
    "address_leading_dot",
    "address_non_ascii_local_part",
    "address_nonsense",
    "address_repeated_dots",
    "address_trailing_dot",
    "address_tuple",
    "address_two_with_full_stop",
    "address_unclosed",
    "alternative_lazy",
    "as_bytes_linesep",
    "as_string_keywords",
    "attachment_text_lazy",
    "backend_own_send",
    "bcc_full_stop_in_name",
    "bcc_non_ascii_local_part",
    "bcc_repeated_dots",
    "default_from_email_full_stop",
    "default_from_email_non_ascii",
    "encoding_charset_base64",
    "encoding_charset_latin_1",
    "encoding_charset_multipart",
    "encoding_charset_of_a_class",
    "encoding_charset_utf8",
    "encoding_charset_utf8_qp",
    "handler_connection",
    "handler_connection_called",
    "handler_connection_of_super",
    "handler_pasted_characters",
    "handler_send_mail_with_connection",
    "handler_server_email_full_stop",
    "header_bcc",
    "header_bool",
    "header_content_transfer_encoding",
    "header_content_type",
    "header_date",
    "header_datetime",
    "header_decimal",
    "header_float",
    "header_int",
    "header_message_id_twice",
    "header_mime_version",
    "header_subject",
    "header_subject_lower",
    "header_to_list",
    "instance_alternative_subtype",
    "instance_mixed_subtype",
    "instance_mixed_subtype_as_it_was",
    "mail_admins_connection_fail_silently",
    "mail_managers_all_keywords",
    "mail_managers_server_email_full_stop",
    "message_connection_and_fail_silently",
    "message_get_connection",
    "message_get_connection_fail_silently",
    "message_get_connection_of_its_own",
    "mime_image_related",
    "pasted_at_the_ends",
    "pasted_into_file_name",
    "pasted_into_from_name",
    "pasted_into_header",
    "pasted_into_long_subject",
    "pasted_into_non_ascii_subject",
    "pasted_into_recipient_name",
    "pasted_into_subject",
    "send_mail_connection_all_positional",
    "send_mail_connection_auth",
    "send_mail_connection_fail_silently",
    "send_mail_lazy_everything",
    "send_mail_lone_surrogate_in_body",
    "send_mass_mail_connection_fail_silently_auth",
    "subclass_get_connection",
    "subclass_get_connection_kept",
    "subclass_get_connection_of_super",
    "subclass_message",
    "subclass_message_headers",
    "subclass_message_of_legacy_classes",
    "subclass_message_subject_twice",
    "subclass_mixed_subtype",
    "subclass_subtypes_as_they_were",
    "subtypes_read",
}

# Refused by 6.1, and not deprecated: Django 5.2 has the attribute itself, and any code may look.
SILENT = {"subtypes_read"}

# What our own backend takes on every Django.
TAKEN_BY_POOLED = FULL_STOPS | {
    "subclass_message",
    "subclass_message_of_legacy_classes",
    "subclass_message_subject_twice",
}
