"""What the checks in a browser share: the site, the browser, and how they are used."""

import contextlib
import os
import shutil
import sys
import tempfile
import unittest

from django.test import SimpleTestCase
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from ..support.servers import enter
from .shop import Shop

# Seconds for what a page takes to change.
TIMEOUT = 30
PREVIEW = "/__mail-preview__/"


def new_browser(folder):
    """Start a browser whose profile is in `folder`. `quit()` ends it."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        reason = "There is no chromium, or no chromedriver (Debian's chromium-driver)."
        print(f"\nSKIPPED: {reason}", file=sys.stderr)
        raise unittest.SkipTest(reason)
    options = ChromeOptions()
    options.binary_location = browser
    for argument in (
        "headless=new",
        f"user-data-dir={folder}",
        # It would look for updates and the like.
        "disable-background-networking",
        "disable-component-update",
        "host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "no-proxy-server",
        # The shared memory of a container is small.
        "disable-dev-shm-usage",
    ):
        options.add_argument(f"--{argument}")
    if os.geteuid() == 0:
        # The sandbox of its processes does not run as root. That of an iframe has to do with CSP.
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Chrome(options, ChromeService(driver))


class BrowserTestCase(SimpleTestCase):
    """A test with `shop`, the test project, and `browser`, both for all tests of a class."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = enter(cls, tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.browser = new_browser(folder)
        cls.addClassCleanup(cls.browser.quit)
        cls.shop = enter(cls, Shop())

    def tearDown(self):
        super().tearDown()
        self.assertNotRegex(self.shop.log(), "Traceback|Internal Server Error|Warning")

    def open(self, path):
        self.browser.get(self.shop.url + path)

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector="body"):
        return self.find(selector).text

    def submit(self, **fields):
        """Fill in the fields of the form of the page, and press its button."""
        for name, value in fields.items():
            self.find(f"[name={name}]").send_keys(value)
        self.find("form:not([action]) button").click()

    def wait(self, condition):
        """Wait until `condition()` is true."""
        passing = (NoSuchElementException, StaleElementReferenceException)
        WebDriverWait(self.browser, TIMEOUT, ignored_exceptions=passing).until(
            lambda browser: condition()
        )

    def assertShows(self, text, selector="body"):
        """Wait until the page, or what the selector finds in it, has this text."""
        with contextlib.suppress(TimeoutException):
            self.wait(lambda: self.text(selector) == text)
        self.assertEqual(self.text(selector), text)

    def open_in_preview(self, subject):
        """Open the preview, and click on the message with that subject."""
        self.open(PREVIEW)
        self.find(".inbox").find_element(By.LINK_TEXT, subject).click()
        self.assertShows(subject, ".message h1")

    def arrived(self, subject):
        """Return the message of that subject that the server has, the only one."""
        messages = self.shop.smtp.messages
        [message] = [message for message in messages if message.parse()["subject"] == subject]
        return message
