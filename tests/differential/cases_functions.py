"""send_mail() and the other functions of django.core.mail, with every argument that they have."""

from django.core import mail
from django.core.mail import get_connection, mail_admins, mail_managers, send_mail, send_mass_mail
from django.test import override_settings
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy, override

from .world import case, dead_port, live_port, refuse

TO = ["to@example.com"]


@case()
def send_mail_keywords():
    return send_mail(subject="Hi", message="Text.\n", from_email="a@example.com", recipient_list=TO)


@case()
def send_mail_positional():
    return send_mail("Hi", "Text.", "a@example.com", TO)


@case()
def send_mail_all_positional():
    return send_mail(
        "Hi", "Text.", "a@example.com", TO, False, "site", "site's password", None, "<p>Text.</p>"
    )


@case()
def send_mail_html():
    return send_mail("Hi", "Text.", None, TO, html_message="<p>Text.</p>")


@case()
def send_mail_html_only():
    return send_mail("Hi", "", None, TO, html_message="<p>Text.</p>")


@case()
def send_mail_html_empty():
    return send_mail("Hi", "Text.", None, TO, html_message="")


@case()
def send_mail_recipients_tuple():
    return send_mail("Hi", "Text.", None, ("a@example.com", "b@example.com"))


@case()
def send_mail_recipients_set():
    return send_mail("Hi", "Text.", None, {"a@example.com"})


@case()
def send_mail_recipients_generator():
    return send_mail("Hi", "Text.", None, (f"{n}@example.com" for n in "abc"))


@case()
def send_mail_recipients_dict_keys():
    return send_mail("Hi", "Text.", None, {"a@example.com": 1, "b@example.com": 2}.keys())


@case()
def send_mail_recipients_with_empty_ones():
    return send_mail("Hi", "Text.", None, ["", "a@example.com", None])


@case()
def send_mail_no_recipients():
    return send_mail("Hi", "Text.", None, [])


@case()
def send_mail_recipients_none():
    return send_mail("Hi", "Text.", None, None)


@case()
def send_mail_recipients_str():
    return send_mail("Hi", "Text.", None, "a@example.com")


@case()
def send_mail_lazy_everything():
    return send_mail(
        gettext_lazy("Hi"),
        lazystr("Text."),
        lazystr("Shop <a@example.com>"),
        [lazystr("to@example.com")],
        html_message=lazystr("<p>Text.</p>"),
    )


@case()
def send_mail_translated():
    with override("de"):
        return send_mail(gettext_lazy("Monday"), gettext_lazy("Tuesday"), None, TO)


@case()
def send_mail_safe_strings():
    return send_mail(mark_safe("Hi <b>"), mark_safe("Text &amp;"), None, TO)


@case()
def send_mail_from_none():
    return send_mail("Hi", "Text.", None, TO)


@case()
def send_mail_from_empty():
    return send_mail("Hi", "Text.", "", TO)


@case()
def send_mail_subject_none():
    return send_mail(None, "Text.", None, TO)


@case()
def send_mail_subject_number():
    return send_mail(404, "Text.", None, TO)


@case()
def send_mail_subject_bytes():
    return send_mail(b"Hi", "Text.", None, TO)


@case()
def send_mail_subject_empty():
    return send_mail("", "Text.", None, TO)


@case()
def send_mail_body_none():
    return send_mail("Hi", None, None, TO)


@case()
def send_mail_body_empty():
    return send_mail("Hi", "", None, TO)


@case()
def send_mail_body_number():
    return send_mail("Hi", 42, None, TO)


@case()
def send_mail_body_bytes():
    return send_mail("Hi", b"Text.", None, TO)


@case()
def send_mail_body_exception():
    return send_mail("Hi", ValueError("Text."), None, TO)


@case()
def send_mail_non_ascii():
    return send_mail("Gr\xfc\xdfe \u732b", "K\xf6ln \U0001f389", "K\xf6 <a@example.com>", TO)


@case()
def send_mail_long_subject():
    return send_mail("A long subject " * 20, "Text.", None, TO)


@case()
def send_mail_long_non_ascii_subject():
    return send_mail("Gr\xfc\xdfe aus " * 20, "Text.", None, TO)


@case()
def send_mail_long_word_in_subject():
    return send_mail("https://example.com/" + "x" * 300, "Text.", None, TO)


@case()
def send_mail_long_lines():
    return send_mail("Hi", "word " * 500 + "\n" + "x" * 1500, None, TO)


@case()
def send_mail_long_non_ascii_lines():
    return send_mail("Hi", "w\xf6rd " * 500, None, TO)


@case()
def send_mail_line_ends():
    return send_mail("Hi", "One\r\nTwo\nThree\rFour\n\n", None, TO)


@case()
def send_mail_dots_and_from():
    return send_mail("Hi", ".\nFrom here\n..two\n.\n", None, TO)


@case()
def send_mail_lone_surrogate_in_body():
    return send_mail("Hi", "a\udcffb", None, TO)


@case()
def send_mail_control_characters_in_body():
    return send_mail("Hi", "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\x00h", None, TO)


@case()
def send_mail_subject_line_break():
    return send_mail("Hi\nBcc: c@example.com", "Text.", None, TO)


@case()
def send_mail_subject_line_break_at_end():
    return send_mail("Hi\n", "Text.", None, TO)


@case()
def send_mail_from_line_break():
    return send_mail("Hi", "Text.", "a@example.com\nBcc: c@example.com", TO)


@case()
def send_mail_recipient_line_break():
    return send_mail("Hi", "Text.", None, ["a@example.com\r\nBcc: c@example.com"])


@case()
def send_mail_too_many_arguments():
    return send_mail("Hi", "Text.", None, TO, False, None, None, None, None, None, None)


@case()
def send_mail_unknown_keyword():
    return send_mail("Hi", "Text.", None, TO, nonsense=1)


@case()
def send_mail_argument_twice():
    return send_mail("Hi", "Text.", None, TO, False, fail_silently=True)


@case()
def send_mail_fail_silently():
    return send_mail("Hi", "Text.", None, TO, fail_silently=True)


@case()
def send_mail_fail_silently_positional():
    return send_mail("Hi", "Text.", None, TO, True)


@case()
def send_mail_refused_recipient():
    refuse("RCPT", "550 5.1.1 No such user")
    return send_mail("Hi", "Text.", None, TO)


@case()
def send_mail_refused_recipient_fail_silently():
    refuse("RCPT", "550 5.1.1 No such user")
    return send_mail("Hi", "Text.", None, TO, fail_silently=True)


@case()
def send_mail_one_of_two_refused():
    refuse("RCPT b@example.com", "550 5.1.1 No such user")
    return send_mail("Hi", "Text.", None, ["a@example.com", "b@example.com"])


@case("settings")
def send_mail_dead_server():
    with override_settings(EMAIL_PORT=dead_port()):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def send_mail_dead_server_fail_silently():
    with override_settings(EMAIL_PORT=dead_port()):
        return send_mail("Hi", "Text.", None, TO, fail_silently=True)


@case()
def send_mail_auth():
    return send_mail("Hi", "Text.", None, TO, auth_user="other", auth_password="other's password")


@case()
def send_mail_auth_user_only():
    return send_mail("Hi", "Text.", None, TO, auth_user="other")


@case()
def send_mail_auth_wrong():
    return send_mail("Hi", "Text.", None, TO, auth_user="other", auth_password="wrong")


@case()
def send_mail_auth_wrong_fail_silently():
    return send_mail("Hi", "Text.", None, TO, True, "other", "wrong")


@case("settings")
def send_mail_auth_none_means_settings():
    with override_settings(EMAIL_HOST_USER="site", EMAIL_HOST_PASSWORD="site's password"):
        return send_mail("Hi", "Text.", None, TO, auth_user=None, auth_password=None)


@case()
def send_mail_auth_empty():
    return send_mail("Hi", "Text.", None, TO, auth_user="", auth_password="")


@case()
def send_mail_connection():
    return send_mail("Hi", "Text.", None, TO, connection=get_connection())


@case()
def send_mail_connection_fail_silently():
    return send_mail("Hi", "Text.", None, TO, fail_silently=True, connection=get_connection())


@case()
def send_mail_connection_auth():
    connection = get_connection()
    return send_mail(
        "Hi", "Text.", None, TO, auth_user="x", auth_password="y", connection=connection
    )


@case()
def send_mail_connection_all_positional():
    connection = get_connection()
    return send_mail("Hi", "Text.", None, TO, True, "x", "y", connection)


@case()
def send_mail_connection_of_another_login():
    connection = get_connection(username="site", password="site's password")
    return send_mail("Hi", "Text.", None, TO, connection=connection)


@case()
def send_mail_connection_falsy():
    return send_mail("Hi", "Text.", None, TO, connection=0)


@case()
def send_mass_mail_messages():
    return send_mass_mail(
        (("Hi", "One.", "a@example.com", TO), ("Hi", "Two.", None, ["b@example.com"]))
    )


@case()
def send_mass_mail_generator():
    return send_mass_mail(("Hi", f"{n}.", None, [f"{n}@example.com"]) for n in "abc")


@case()
def send_mass_mail_lists():
    return send_mass_mail([["Hi", "One.", None, TO]])


@case()
def send_mass_mail_empty():
    return send_mass_mail([])


@case()
def send_mass_mail_one_without_recipients():
    return send_mass_mail([("Hi", "One.", None, []), ("Hi", "Two.", None, TO)])


@case()
def send_mass_mail_wrong_length():
    return send_mass_mail([("Hi", "One.", None)])


@case()
def send_mass_mail_fail_silently():
    return send_mass_mail([("Hi", "One.", None, TO)], fail_silently=True)


@case()
def send_mass_mail_all_positional():
    return send_mass_mail([("Hi", "One.", None, TO)], True, "other", "other's password", None)


@case()
def send_mass_mail_auth():
    return send_mass_mail(
        [("Hi", "One.", None, TO)], auth_user="other", auth_password="other's password"
    )


@case()
def send_mass_mail_connection():
    return send_mass_mail([("Hi", "One.", None, TO)], connection=get_connection())


@case()
def send_mass_mail_connection_fail_silently_auth():
    return send_mass_mail(
        [("Hi", "One.", None, TO)],
        fail_silently=True,
        auth_user="x",
        auth_password="y",
        connection=get_connection(),
    )


@case()
def send_mass_mail_bad_in_the_middle():
    return send_mass_mail(
        [("Hi", "One.", None, TO), ("H\ni", "Two.", None, TO), ("Hi", "Three.", None, TO)]
    )


@case()
def mail_admins_pairs():
    return mail_admins("Hi", "Text.")


@case()
def mail_admins_all_positional():
    return mail_admins("Hi", "Text.", False, None, "<p>Text.</p>")


@case()
def mail_admins_fail_silently():
    return mail_admins("Hi", "Text.", fail_silently=True)


@case()
def mail_admins_html():
    return mail_admins("Hi", "Text.", html_message="<p>Text.</p>")


@case()
def mail_admins_connection():
    return mail_admins("Hi", "Text.", connection=get_connection())


@case()
def mail_admins_connection_fail_silently():
    return mail_admins("Hi", "Text.", fail_silently=True, connection=get_connection())


@case()
def mail_admins_lazy_prefix():
    with override_settings(EMAIL_SUBJECT_PREFIX=lazystr("[Shop] ")):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_no_prefix():
    with override_settings(EMAIL_SUBJECT_PREFIX=""):
        return mail_admins(lazystr("Hi"), "Text.")


@case()
def mail_admins_lists_of_two():
    with override_settings(ADMINS=[["Ann", "ann@example.com"]]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_tuple_of_tuples():
    with override_settings(ADMINS=(("Ann", "ann@example.com"),)):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_lazy_address():
    with override_settings(ADMINS=[("Ann", lazystr("ann@example.com"))]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_named_address():
    with override_settings(ADMINS=[("Ann", "Ann <ann@example.com>")]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_none():
    with override_settings(ADMINS=[]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_strings():
    with override_settings(ADMINS=["ann@example.com", "bob@example.com"]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_strings_of_two_letters():
    with override_settings(ADMINS=["me"]):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_malformed():
    with override_settings(ADMINS=("Ann", "ann@example.com")):
        return mail_admins("Hi", "Text.")


@case()
def mail_admins_mixed():
    with override_settings(ADMINS=[("Ann", "ann@example.com"), "bob@example.com"]):
        return mail_admins("Hi", "Text.")


@case()
def mail_managers_pairs():
    return mail_managers("Hi", "Text.")


@case()
def mail_managers_all_keywords():
    return mail_managers(
        subject="Hi",
        message="Text.",
        fail_silently=True,
        connection=get_connection(),
        html_message="<p>Text.</p>",
    )


@case()
def mail_managers_server_email_full_stop():
    with override_settings(SERVER_EMAIL="Acme Inc. <root@example.com>"):
        return mail_managers("Hi", "Text.")


@case()
def default_from_email_full_stop():
    with override_settings(DEFAULT_FROM_EMAIL="Acme Inc. <noreply@example.com>"):
        return send_mail("Hi", "Text.", None, TO)


@case()
def default_from_email_without_domain():
    with override_settings(DEFAULT_FROM_EMAIL="webmaster"):
        return send_mail("Hi", "Text.", None, TO)


@case()
def default_from_email_localhost():
    with override_settings(DEFAULT_FROM_EMAIL="webmaster@localhost"):
        return send_mail("Hi", "Text.", None, TO)


@case()
def default_from_email_lazy():
    with override_settings(DEFAULT_FROM_EMAIL=lazystr("Shop <shop@example.com>")):
        return send_mail("Hi", "Text.", None, TO)


@case()
def default_from_email_comma():
    with override_settings(DEFAULT_FROM_EMAIL='"Lee, Ann" <ann@example.com>'):
        return send_mail("Hi", "Text.", None, TO)


@case()
def default_from_email_non_ascii():
    with override_settings(DEFAULT_FROM_EMAIL="B\xfccher & Co. <shop@example.com>"):
        return send_mail("Hi", "Text.", None, TO)


@case("settings")
def get_connection_then_send_messages():
    connection = get_connection()
    return connection.send_messages([mail.EmailMessage("Hi", f"{n}.", None, TO) for n in range(3)])


@case()
def get_connection_positional():
    return get_connection(None, True).send_messages([mail.EmailMessage("Hi", "Text.", None, TO)])


@case()
def get_connection_backend_positional_fail_silently():
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", True)
    return connection.fail_silently, connection.send_messages(
        [mail.EmailMessage("Hi", "Text.", None, TO)]
    )


@case()
def get_connection_options():
    connection = get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host="127.0.0.1",
        port=live_port(),
        username="other",
        password="other's password",
        use_tls=False,
        use_ssl=False,
        timeout=5,
    )
    return connection.timeout, connection.send_messages(
        [mail.EmailMessage("Hi", "Text.", None, TO)]
    )


@case()
def get_connection_nones():
    connection = get_connection(username=None, password=None, fail_silently=False)
    return connection.send_messages([mail.EmailMessage("Hi", "Text.", None, TO)])


@case()
def get_connection_unknown_backend():
    return get_connection("nowhere.EmailBackend")


@case()
def get_connection_attributes():
    connection = get_connection()
    return [connection.host, connection.port == live_port(), connection.username]


@case()
def get_connection_options_for_any_backend():
    return type(
        get_connection("django.core.mail.backends.locmem.EmailBackend", username=None, host="x")
    ).__name__


@case()
def get_connection_tls_and_ssl():
    return get_connection(use_tls=True, use_ssl=True)


@case()
def opened_connection_is_reused():
    with get_connection() as connection:
        sent = [send_mail("Hi", f"{n}.", None, TO, connection=connection) for n in range(3)]
        is_open = connection.connection is not None
    return sent, is_open, connection.connection is None


@case()
def open_and_close_by_hand():
    connection = get_connection()
    opened = connection.open(), connection.open()
    message = mail.EmailMessage("Hi", "Text.", None, TO, connection=connection)
    sent = message.send(), connection.send_messages([message])
    connection.close()
    connection.close()
    return opened, sent


@case()
def send_messages_of_nothing():
    connection = get_connection()
    return connection.send_messages([]), connection.send_messages(())


@case()
def send_messages_a_tuple():
    return get_connection().send_messages((mail.EmailMessage("Hi", "Text.", None, TO),))


@case()
def send_messages_a_generator():
    return get_connection().send_messages(
        mail.EmailMessage("Hi", f"{n}.", None, TO) for n in range(3)
    )


@case()
def raw_smtp_connection():
    connection = get_connection()
    connection.open()
    try:
        return connection.connection.noop()[0]
    finally:
        connection.close()
