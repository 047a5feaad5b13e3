"""A reader unsubscribes by the page that is for browsers, from the link in a letter."""

import textwrap

from .cases import BrowserTestCase


class UnsubscribeTests(BrowserTestCase):
    def unsubscribed(self):
        file = self.shop.folder / "unsubscribed"
        return file.read_text().splitlines() if file.exists() else []

    def test_link_in_a_letter(self):
        send = f"""
            from django.urls import reverse
            from shop.mail import send_newsletter
            from tests.browser.urls import UnsubscribeView
            link = {self.shop.url!r} + reverse("unsubscribe", args=[UnsubscribeView.make_token(7)])
            html = f'<p>New: Verne.</p><p><a href="{{link}}">Unsubscribe</a></p>'
            send_newsletter("July", f"New: Verne. {{link}}", html, ["ada@example.com"])
        """
        self.shop.manage("shell", "-c", textwrap.dedent(send))
        self.open_in_preview("July")
        letter = self.browser.current_window_handle
        self.browser.switch_to.frame(self.find("iframe"))
        self.find("a").click()
        # It opens in a window of its own.
        self.wait(lambda: len(self.browser.window_handles) == 2)
        [window] = {*self.browser.window_handles} - {letter}
        self.browser.switch_to.window(window)

        self.assertShows("Do you want to unsubscribe from these messages?\nUnsubscribe")
        self.assertEqual(self.browser.title, "Unsubscribe")
        self.assertEqual(self.unsubscribed(), [])

        self.submit()
        self.assertShows("You have been unsubscribed.")
        self.assertEqual(self.unsubscribed(), ["7"])

        # As often as the reader likes.
        self.browser.refresh()
        self.wait(lambda: len(self.unsubscribed()) == 2)
        self.assertShows("You have been unsubscribed.")
        self.assertEqual(self.unsubscribed(), ["7", "7"])
