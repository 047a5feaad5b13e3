"""What the shop sends can be seen in the browser, and can do nothing there."""

import re
import textwrap
from urllib.request import urlopen

from .cases import BrowserTestCase

SUBJECT = "A new password for Quay Books"
# It leaves a mark in as many ways as there are scripts below.
HTML = """\
<!doctype html>
<title>July</title>
<p id="text">New: Verne.</p>
<script>document.documentElement.setAttribute("data-script", "ran");</script>
<img src="data:," onerror="document.documentElement.setAttribute('data-handler', 'ran')">
"""


class PasswordTests(BrowserTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        user = "'ada', 'ada@example.com', 'quay-side-3'"
        models = "from django.contrib.auth.models import User"
        cls.shop.manage("shell", "-c", f"{models}; User.objects.create_user({user})")

    def test_forgotten_password(self):
        self.open("/accounts/password_reset/")
        self.submit(email="ada@example.com")
        self.assertShows("Look into your mail", "h1")

        # tee has delivered it, and the preview has the same.
        delivered = self.arrived(SUBJECT)
        self.assertEqual(delivered.rcpt_tos, ["ada@example.com"])
        self.open_in_preview(SUBJECT)
        self.assertEqual(self.text(".route"), "to ada@example.com")
        self.assertEqual(self.text(".mailer"), "via preview")
        shown = self.text(".tab[data-tab=text] pre")
        body = delivered.parse().get_content()
        self.assertEqual(shown.splitlines(), body.strip().splitlines())

        [link] = re.findall(r"http://\S+", shown)
        self.assertTrue(link.startswith(self.shop.url), link)
        self.browser.get(link)
        self.submit(new_password1="sea-side-4", new_password2="sea-side-4")
        self.assertShows("Done", "h1")
        self.open("/accounts/login/")
        self.submit(username="ada", password="sea-side-4")
        self.assertShows("Quay Books · Contact · ada · Log out", "nav")


class ScriptTests(BrowserTestCase):
    def marks(self):
        """Return what the scripts of HTML have left in the page that the browser is at."""
        page = self.find("html")
        return [page.get_attribute(f"data-{kind}") for kind in ("script", "handler")]

    def test_scripts_of_a_letter_do_not_run(self):
        """Neither in the frame nor if that is opened by itself."""
        send = f"""
            from shop.mail import send_newsletter
            send_newsletter("July", "New: Verne.", {HTML!r}, ["ada@example.com"])
        """
        self.shop.manage("shell", "-c", textwrap.dedent(send))
        self.assertIn("document.documentElement", self.arrived("July").content.decode())

        self.open_in_preview("July")
        frame = self.find("iframe")
        source = frame.get_attribute("src")
        self.assertEqual(
            frame.get_attribute("sandbox"), "allow-popups allow-popups-to-escape-sandbox"
        )
        self.browser.switch_to.frame(frame)
        self.assertEqual(self.text("#text"), "New: Verne.")
        self.assertEqual(self.marks(), [None, None])

        self.browser.get(source)
        self.assertEqual(self.text("#text"), "New: Verne.")
        self.assertEqual(self.marks(), [None, None])

        with urlopen(source) as response:
            rules = response.headers["Content-Security-Policy"].split("; ")
        # No script-src: that of default-src applies.
        self.assertLessEqual({"default-src 'none'", "base-uri 'none'"}, {*rules})
        self.assertEqual([rule for rule in rules if rule.startswith("script-src")], [])
        self.assertEqual(
            [rule for rule in rules if rule.startswith("sandbox")],
            ["sandbox allow-popups allow-popups-to-escape-sandbox"],
        )

    def test_they_run_elsewhere(self):
        """They would leave their marks, and this browser would show them."""
        page = self.shop.folder / "letter.html"
        page.write_text(HTML)
        self.browser.get(page.as_uri())
        self.assertEqual(self.marks(), ["ran", "ran"])
