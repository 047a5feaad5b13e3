"""Addresses of odd shapes."""

from email.headerregistry import Address

from django.core.mail import EmailMessage

from .world import case

TO = ["to@example.com"]


def send(headers=None, **arguments):
    return EmailMessage(
        **{"subject": "Hi", "body": "Text.", "to": TO, "headers": headers, **arguments}
    ).send()


def send_to(*addresses):
    return send(to=list(addresses), from_email=addresses[0], reply_to=list(addresses))


@case()
def address_full_stop_in_name():
    return send_to("Acme Inc. <a@example.com>")


@case()
def address_full_stop_inside_name():
    return send_to("Sales Dept. EU <b@example.com>")


@case()
def address_full_stop_in_non_ascii_name():
    return send_to("Dr. M\xfcller <b@example.com>")


@case()
def address_initials():
    return send_to("J.R.R. Tolkien <b@example.com>")


@case()
def address_two_with_full_stop():
    return send_to("Acme Inc. <a@example.com>", "Foo Ltd. <b@example.com>")


@case()
def address_full_stop_long_list():
    return send(to=[f"Sales Dept. No. {n} <sales{n}@example.com>" for n in range(12)])


@case()
def address_quoted_full_stop():
    return send_to('"Acme Inc." <a@example.com>')


@case()
def address_quoted_comma():
    return send_to('"Lee, Ann" <a@example.com>')


@case()
def address_comma():
    return send_to("Lee, Ann <a@example.com>")


@case()
def address_quotes_inside():
    return send_to('"Ann \\"The\\" Lee" <a@example.com>')


@case()
def address_apostrophe():
    return send_to("Pat O'Hara <pat.o'hara@example.com>")


@case()
def address_parentheses():
    return send_to("Ann (Sales) <a@example.com>")


@case()
def address_comment():
    return send_to("a@example.com (Ann Lee)")


@case()
def address_at_in_name():
    return send_to("ann@home <a@example.com>")


@case()
def address_quoted_at_in_name():
    return send_to('"ann@home" <a@example.com>')


@case()
def address_colon_in_name():
    return send_to("Shop: Ann <a@example.com>")


@case()
def address_semicolon():
    return send_to("a@example.com;b@example.com")


@case()
def address_two_in_one():
    return send_to("a@example.com, b@example.com")


@case()
def address_group():
    return send_to("Staff: a@example.com, b@example.com;")


@case()
def address_brackets_in_name():
    return send_to("Ann [Sales] <a@example.com>")


@case()
def address_non_ascii_name():
    return send_to("J\xfcrgen M\xfcller <a@example.com>")


@case()
def address_non_ascii_quoted_name():
    return send_to('"M\xfcller, J\xfcrgen" <a@example.com>')


@case()
def address_long_non_ascii_name():
    return send_to("J\xfcrgen " * 15 + "<a@example.com>")


@case()
def address_emoji_name():
    return send_to("Ann \U0001f389 <a@example.com>")


@case()
def address_encoded_name():
    return send_to("=?utf-8?q?J=C3=BCrgen?= <a@example.com>")


@case()
def address_angle_brackets_only():
    return send_to("<a@example.com>")


@case()
def address_spaces_around():
    return send_to("  a@example.com  ")


@case()
def address_no_space_before_bracket():
    return send_to("Ann<a@example.com>")


@case()
def address_empty_name():
    return send_to('"" <a@example.com>')


@case()
def address_idn_domain():
    return send_to("a@k\xf6ln.example")


@case()
def address_idn_domain_with_name():
    return send_to("K\xf6 <a@k\xf6ln.example>")


@case()
def address_idn_domain_full_stop_in_name():
    return send_to("K\xf6ln Inc. <a@k\xf6ln.example>")


@case()
def address_idn_upper_case():
    return send_to("a@K\xd6LN.Example")


@case()
def address_punycode_domain():
    return send_to("a@xn--kln-sna.example")


@case()
def address_non_ascii_local_part():
    return send_to("j\xfcrgen@example.com")


@case()
def address_quoted_local_part():
    return send_to('"a b"@example.com')


@case()
def address_quoted_local_part_with_name():
    return send_to('Ann <"a@b"@example.com>')


@case()
def address_repeated_dots():
    return send_to("b..c@docomo.example.com")


@case()
def address_trailing_dot():
    return send_to("b.@docomo.example.com")


@case()
def address_leading_dot():
    return send_to(".b@docomo.example.com")


@case()
def address_dots_with_name():
    return send_to("Bob <b..c.@docomo.example.com>")


@case()
def address_dots_with_non_ascii_name():
    return send_to("\u732b <b..c.@docomo.example.com>")


@case()
def address_plus_and_others():
    return send_to("a+b=c!d#e$f%g&h'i*j/k?l^m_n`o{p|q}r~s-t@example.com")


@case()
def address_domain_literal():
    return send_to("a@[192.0.2.1]")


@case()
def address_domain_underscore():
    return send_to("a@my_host.example.com")


@case()
def address_trailing_dot_in_domain():
    return send_to("a@example.com.")


@case()
def address_without_domain():
    return send_to("root")


@case()
def address_without_local_part():
    return send_to("@example.com")


@case()
def address_nonsense():
    return send_to("not an address")


@case()
def address_empty_brackets():
    return send_to("Ann <>")


@case()
def address_two_at():
    return send_to("a@b@example.com")


@case()
def address_unclosed():
    return send_to("Ann <a@example.com")


@case()
def address_unclosed_quote():
    return send_to('"Ann <a@example.com>')


@case()
def address_tuple():
    return send(to=[("Ann", "a@example.com")])


@case()
def address_object():
    return send(to=[Address("Ann", "a", "example.com")])


@case()
def address_percent():
    return send_to("a%b@example.com")


@case()
def address_upper_case():
    return send_to("Ann.Lee@EXAMPLE.com")


@case()
def address_backslash():
    return send_to("Ann\\Lee <a@example.com>")


@case()
def address_slash_and_ampersand():
    return send_to("Ann/Bob & Co <a@example.com>")


@case()
def address_tab_in_name():
    return send_to("Ann\tLee <a@example.com>")


@case()
def address_smtp_injection():
    return send_to("a@example.com> SIZE=1")


@case()
def address_two_hundred():
    return send(to=[f"person{n}@example.com" for n in range(200)])


@case()
def address_long():
    return send_to("a" * 64 + "@" + "b" * 60 + ".example.com")


@case()
def bcc_full_stop_in_name():
    return send(to=[], bcc=["Acme Inc. <a@example.com>"])


@case()
def bcc_repeated_dots():
    return send(to=[], bcc=["b..c@example.com"])


@case()
def bcc_non_ascii_local_part():
    return send(to=[], bcc=["j\xfcrgen@example.com"])
