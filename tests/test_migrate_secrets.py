"""`migratemailers` keeps where a password is read, and never prints one."""

import textwrap

from django.test import SimpleTestCase

from .support.migrate import LayoutMixin


class ReaderTests(LayoutMixin, SimpleTestCase):
    """Where a password is read stays in the block; a password does not get there."""

    START = """\
        import configparser, os
        from pathlib import Path
        from types import SimpleNamespace
        config = configparser.ConfigParser()
        config.read_dict({"mail": {"password": "hunter2"}})
        def env(name, default=None): return "hunter2"
        env.str = env
        def get_secret(*path, version=None): return "hunter2"
        secrets = SimpleNamespace(get_secret_value=get_secret)
        vault = SimpleNamespace(read=get_secret, secrets=secrets)
        docker_secret = read_parameter = get_secret
        def scramble(text, key): return "hunter2"
        Path("password").write_text("hunter2")
        STAGE = "live"
        """

    def written(self, expression, value="hunter2"):
        source = textwrap.dedent(self.START).replace("hunter2", value)
        self.write({"conf.py": f"{source}EMAIL_HOST_PASSWORD = {expression}\n"})
        return self.options(self.render("conf", {"PASSWORD": value}))["password"]

    def test_arguments_of_a_reader(self):
        for expression in (
            'config.get("mail", "password", fallback="")',
            'config.get("mail", "password")',
            'config["mail"].get("password", "")',
            'config.get("mail", option="password")',
            'get_secret("mail", "password", version="latest")',
            'vault.read("secret/mail", "password")',
            'vault.secrets.get_secret_value("mail", version="latest")',
            'docker_secret("smtp_password")',
            'read_parameter(f"/{STAGE}/smtp-password")',
            'env("PASSWORD", default="")',
            'env.str("PASSWORD", default="")',
            'Path("password").read_text().strip()',
            "os.environ[f\"PASS{'WORD'}\"]",
            'os.environ.get("PASS" + "WORD", "")',
        ):
            with self.subTest(expression):
                self.assertEqual(self.written(expression), expression)

    def test_a_url_with_the_password(self):
        self.write(
            {
                "conf.py": "from urllib.parse import unquote, urlsplit\n"
                "EMAIL_HOST = urlsplit('smtp://ann:h%40nter2@mail').hostname\n"
                "EMAIL_HOST_PASSWORD = unquote(urlsplit('smtp://ann:h%40nter2@mail').password)\n"
            }
        )
        block = self.render("conf")
        self.assertEqual(
            self.options(block),
            {"host": '"mail"', "password": 'os.environ["EMAIL_HOST_PASSWORD"]'},
        )
        self.assertNotIn("nter2", repr(block))

    def test_what_may_be_a_password(self):
        for expression in (
            'os.environ.get("PASSWORD", "sesame")',
            'os.environ.get("PASSWORD", default="sesame")'.replace("os.environ.get", "env"),
            'env.str("PASSWORD", "sesame")',
            'config["mail"].get("password", "sesame")',
            'config.get("mail", "password", fallback="sesame")',
            'os.environ.get("PASSWORD") or "sesame"',
            'scramble("sesame", "key")',
            'str("sesame") and env("PASSWORD")',
        ):
            with self.subTest(expression):
                self.assertEqual(self.written(expression), 'os.environ["EMAIL_HOST_PASSWORD"]')
        # Who names it so has told it already, but not us.
        expression = 'config.get("mail", "password")'
        self.assertEqual(self.written(expression, "password"), 'os.environ["EMAIL_HOST_PASSWORD"]')
