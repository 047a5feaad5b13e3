"""No setting that the settings files assign anywhere is lost by `migratemailers`."""

import importlib
import sys
import textwrap
from unittest import mock

from django.test import SimpleTestCase

from django_mailers.migrate import configuration
from django_mailers.migrate.block import render

from .support.migrate import NOT_SHOWN, LayoutMixin
from .support.utils import CONSOLE, SMTP

PROD = """\
    import os
    EMAIL_HOST = "smtp.example.com"
    if os.environ.get("PROD"):
        EMAIL_HOST_USER = "shop"
        EMAIL_HOST_PASSWORD = os.environ["SMTP_PASSWORD"]
        EMAIL_USE_TLS = True
    """


class BranchTests(LayoutMixin, SimpleTestCase):
    def test_a_branch_that_does_not_run(self):
        self.write({"conf.py": PROD})
        block = self.render("conf")
        self.assertEqual(
            self.options(block),
            {
                "host": '"smtp.example.com"',
                "port": "25",
                "username": '""',
                "password": '""',
                "use_tls": "False",
            },
        )
        self.assertEqual(
            block.notes,
            [
                f"{name} is assigned at conf.py:{line}, and not in force now: the block has its "
                "default"
                for name, line in [
                    ("EMAIL_HOST_USER", 4),
                    ("EMAIL_HOST_PASSWORD", 5),
                    ("EMAIL_USE_TLS", 6),
                ]
            ],
        )
        self.assertEqual(
            block.replaced,
            ["EMAIL_HOST", "EMAIL_HOST_PASSWORD", "EMAIL_HOST_USER", "EMAIL_USE_TLS"],
        )

    def test_both_branches(self):
        source = textwrap.dedent(PROD) + textwrap.dedent(
            """\
            else:
                EMAIL_HOST_USER = ""
                EMAIL_HOST_PASSWORD = ""
                EMAIL_USE_TLS = False
            """
        )
        self.write({"conf.py": source})
        names = ["EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_USE_TLS"]
        present = [
            f"{name} is assigned at conf.py:{line} and conf.py:{line + 4}: the block has its "
            "present value"
            for line, name in enumerate(names, 4)
        ]
        block = self.render("conf")
        self.assertEqual(
            self.options(block),
            {
                "host": '"smtp.example.com"',
                "port": "25",
                "username": '""',
                "password": '""',
                "use_tls": "False",
            },
        )
        self.assertEqual(block.notes, present)
        block = self.render("conf", {"PROD": "1", "SMTP_PASSWORD": "hunter2"})
        self.assertEqual(
            self.options(block),
            {
                "host": '"smtp.example.com"',
                "port": "25",
                "username": '"shop"',
                "password": 'os.environ["EMAIL_HOST_PASSWORD"]',
                "use_tls": "True",
            },
        )
        self.assertEqual(
            block.notes,
            [
                present[0],
                "EMAIL_HOST_PASSWORD is assigned at conf.py:5 and conf.py:9: compare them",
                NOT_SHOWN,
                present[2],
            ],
        )

    def test_a_backend_that_takes_none_of_it(self):
        """Run where mail goes to the console, the settings of production are told."""
        self.write(
            {
                "conf.py": f"""\
                import os
                DEBUG = "PROD" not in os.environ
                if DEBUG:
                    EMAIL_BACKEND = "{CONSOLE}"
                else:
                    EMAIL_BACKEND = "{SMTP}"
                    EMAIL_HOST = "smtp.example.com"
                    EMAIL_USE_TLS = True
                """
            }
        )
        block = self.render("conf")
        self.assertEqual(
            block.lost,
            [
                f"EMAIL_HOST, which is assigned at conf.py:7, and not in force now: {CONSOLE} "
                "does not take 'host'",
                f"EMAIL_USE_TLS, which is assigned at conf.py:8, and not in force now: {CONSOLE} "
                "does not take 'use_tls'",
            ],
        )
        self.assertEqual(block.replaced, ["EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_BACKEND is assigned at conf.py:4 and conf.py:6: the block is for its "
                "present value; another backend has other options, so let the settings choose "
                "between complete entries of MAILERS"
            ],
        )

    def test_every_way_to_assign(self):
        """Whatever does not run now: EMAIL_USE_TLS is told and to be deleted, with its line."""
        for source, line in [
            ("if 0: EMAIL_USE_TLS = True", 1),
            ("if 1: pass\nelif 0:\n    EMAIL_USE_TLS: bool = True", 3),
            ("for _ in []: EMAIL_USE_TLS = True", 1),
            ("for EMAIL_USE_TLS in []: pass", 1),
            ("while 0: EMAIL_USE_TLS = True", 1),
            ("try: pass\nexcept KeyError:\n    EMAIL_USE_TLS = True", 3),
            ("try: 1 / 0\nexcept Exception: pass\nelse: EMAIL_USE_TLS = True", 3),
            ("if 0:\n    with open('x') as EMAIL_USE_TLS: pass", 2),
            ("match 1:\n    case 2:\n        EMAIL_USE_TLS = True", 3),
            ("if 0: x = (EMAIL_USE_TLS := True)", 1),
            ("if 0 and (EMAIL_USE_TLS := True): pass", 1),
            ("if 0: EMAIL_USE_TLS, x = 1, 2", 1),
            ("if 0: from x import EMAIL_USE_TLS", 1),
            ("if 0:\n    def EMAIL_USE_TLS(): pass", 2),
            ("if 0: globals()['EMAIL_USE_TLS'] = True", 1),
            ("if 0: locals()['EMAIL_USE_TLS'] = True", 1),
            ("if 0: globals().update(EMAIL_USE_TLS=True)", 1),
            ("if 0: globals().update({'EMAIL_USE_TLS': True})", 1),
            ("if 0: vars().update(dict(EMAIL_USE_TLS=True))", 1),
            ("if 0: vars().update(**{'EMAIL_USE_TLS': True})", 1),
            ("if 0: globals().setdefault('EMAIL_USE_TLS', True)", 1),
            ("g = globals()\nif 0: g['EMAIL_USE_TLS'] = True", 2),
            ("g = globals()\nif 0: g |= {'EMAIL_USE_TLS': True}", 2),
            ("import sys\nif 0: setattr(sys.modules[__name__], 'EMAIL_USE_TLS', True)", 2),
            ("import sys\nif 0: sys.modules[__name__].__dict__['EMAIL_USE_TLS'] = True", 2),
            ("def f():\n    global EMAIL_USE_TLS\n    EMAIL_USE_TLS = True", 2),
            ("def f():\n    globals()['EMAIL_USE_TLS'] = True", 2),
            ("def f(space):\n    space['EMAIL_USE_TLS'] = True", 2),
            ("class Production:\n    EMAIL_USE_TLS = True", 2),
        ]:
            with self.subTest(source):
                self.write({"conf.py": f"{source}\n"})
                block = self.render("conf")
                self.assertEqual(
                    (block.replaced, self.options(block)["use_tls"], block.notes),
                    (
                        ["EMAIL_USE_TLS"],
                        "False",
                        [
                            f"EMAIL_USE_TLS is assigned at conf.py:{line}, and not in force now: "
                            "the block has its default"
                        ],
                    ),
                )

    def test_conditional_expressions(self):
        """They stay what they are, or their present value is told."""
        self.write(
            {
                "conf.py": """\
                import os
                EMAIL_USE_TLS = True if os.environ.get("PROD") else False
                PROD = False
                EMAIL_HOST_USER = "shop" if PROD else ""
                PROD = "PROD" in os.environ
                """
            }
        )
        block = self.render("conf")
        self.assertEqual(
            self.options(block),
            {
                "host": '"localhost"',
                "port": "25",
                "username": '""',
                "use_tls": 'True if os.environ.get("PROD") else False',
            },
        )
        self.assertEqual(
            block.notes,
            ["EMAIL_HOST_USER is assigned at conf.py:4: the block has its present value"],
        )

    def test_augmented(self):
        self.write({"conf.py": "EMAIL_PORT = 500\nEMAIL_PORT += 87\nEMAIL_USE_TLS = True\n"})
        block = self.render("conf")
        self.assertEqual(self.options(block)["port"], "587")
        self.assertEqual(
            block.notes,
            ["EMAIL_PORT is assigned at conf.py:1 and conf.py:2: the block has its present value"],
        )

    def test_through_the_namespace(self):
        """What is said as plainly as by an assignment counts as one."""
        self.write(
            {
                "conf.py": """\
                import os
                globals()["EMAIL_HOST"] = os.environ["SMTP"]
                vars().update(EMAIL_PORT=2525, **{"EMAIL_TIMEOUT": 3})
                """
            }
        )
        block = self.render("conf", {"SMTP": "mail"})
        self.assertEqual(
            self.options(block), {"host": 'os.environ["SMTP"]', "port": "2525", "timeout": "3"}
        )
        self.assertEqual(block.notes, [])

    def test_what_is_computed(self):
        """Nothing that the source does not name can be told, but where it may happen."""
        for write in (
            "globals().update(MORE)",
            "for name in MORE: globals()[name] = MORE[name]",
            "for name in MORE: globals()['EMAIL_' + name[6:]] = MORE[name]",
            "exec('EMAIL_HOST = \"b\"')",
            "(lambda space: space.update(MORE))(globals())",
        ):
            with self.subTest(write):
                self.write({"conf.py": f"EMAIL_HOST = 'a'\nMORE = dict(EMAIL_HOST='b')\n{write}\n"})
                block = self.render("conf")
                self.assertEqual(self.options(block)["host"], '"b"')
                self.assertEqual(
                    block.notes,
                    [
                        "EMAIL_HOST is assigned at conf.py:1, conf.py:2 and conf.py:3: the block "
                        "has its present value",
                        "conf.py:3 may define settings that the command does not see: the block "
                        "has the values in force now",
                    ],
                )
        self.write({"conf.py": "EMAIL_HOST = 'a'\nfor x in ['B']: globals()['LOG_' + x] = 1\n"})
        self.assertEqual(self.render("conf").notes, [])

    def test_keys_of_a_dictionary(self):
        """They are settings only if they may get there."""
        self.write(
            {
                "conf.py": """\
                import os
                MAIL = {"dev": {}, "live": {"EMAIL_HOST": "smtp", "EMAIL_USE_TLS": True}}
                globals().update(MAIL[os.environ.get("STAGE", "dev")])
                """,
                "other.py": """\
                CONSTANCE_CONFIG = {"EMAIL_USE_TLS": (True, "Whether to use TLS")}
                EMAIL_HOST = "a"
                """,
            }
        )
        block = self.render("conf")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        places = "is assigned at conf.py:2 and conf.py:3, and not in force now"
        self.assertEqual(
            block.notes,
            [
                *(f"{name} {places}: the block has its default" for name in block.replaced),
                "conf.py:3 may define settings that the command does not see: the block has the "
                "values in force now",
            ],
        )
        block = self.render("other")
        self.assertEqual((block.replaced, block.notes), (["EMAIL_HOST"], []))

    def test_names_in_a_loop(self):
        self.write(
            {
                "conf.py": "import os\nfor name in ('EMAIL_HOST', 'EMAIL_USE_TLS'):\n"
                "    if name in os.environ:\n        globals()[name] = os.environ[name]\n"
            }
        )
        block = self.render("conf")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes[0],
            "EMAIL_HOST is assigned at conf.py:2 and conf.py:4, and not in force now: the block "
            "has its default",
        )

    def test_a_function_that_is_given_the_namespace(self):
        self.write(
            {
                "conf.py": "def configure(space, live=False):\n"
                "    if live: space.setdefault('EMAIL_USE_TLS', True)\n"
                "configure(globals())\nEMAIL_HOST = 'a'\n"
            }
        )
        block = self.render("conf")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_USE_TLS is assigned at conf.py:2 and conf.py:3, and not in force now: the "
                "block has its default",
                "conf.py:3 may define settings that the command does not see: the block has the "
                "values in force now",
            ],
        )

    def test_a_literal_that_is_not_the_value(self):
        """Something has changed it from outside."""
        self.write({"conf.py": "EMAIL_HOST = 'a'\n"})
        with mock.patch.dict(sys.modules):
            module = importlib.import_module("conf")
            module.EMAIL_HOST = "b"
            block = render(configuration.of_module(module))
        self.assertEqual(self.options(block), {"host": '"b"'})
        self.assertEqual(
            block.notes, ["EMAIL_HOST is assigned at conf.py:1: the block has its present value"]
        )


class LayoutTests(LayoutMixin, SimpleTestCase):
    """Settings in several files, in the ways that projects split them."""

    def test_a_local_file_that_may_be_there(self):
        base = """\
            import os
            EMAIL_HOST = os.environ.get("SMTP", "live")
            EMAIL_TIMEOUT = 5
            try:
                from .local import *
            except ImportError:
                pass
            """
        self.write({"shop/settings/__init__.py": "", "shop/settings/base.py": base})
        block = self.render("shop.settings.base")
        self.assertEqual(
            self.options(block), {"host": 'os.environ.get("SMTP", "live")', "timeout": "5"}
        )
        self.assertEqual(block.notes, [])
        self.write({"shop/settings/local.py": "EMAIL_HOST = 'dev'\nEMAIL_USE_TLS = False\n"})
        block = self.render("shop.settings.base")
        self.assertEqual(
            self.options(block),
            {"host": '"dev"', "port": "25", "use_tls": "False", "timeout": "5"},
        )
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at shop/settings/base.py:2 and shop/settings/local.py:1: "
                "the block has its present value",
                "EMAIL_USE_TLS is assigned at shop/settings/local.py:2: the block has its present "
                "value",
            ],
        )

    def test_one_of_two_files(self):
        """Neither makes the other void."""
        for module, files in [
            (
                "shop.settings",
                {
                    "shop/settings/__init__.py": "import os\nif os.environ.get('PROD'):\n"
                    "    from .production import *\nelse:\n    from .dev import *\n",
                    "shop/settings/production.py": "EMAIL_HOST = 'live'\nEMAIL_USE_TLS = True\n",
                    "shop/settings/dev.py": "EMAIL_HOST = 'dev'\n",
                },
            ),
            (
                "shop.settings",
                {
                    "shop/settings/__init__.py": "import os\n"
                    'exec(f\'from .{os.environ.get("STAGE", "dev")} import *\')\n',
                },
            ),
        ]:
            with self.subTest(files=files):
                self.write(files)
                block = self.render(module)
                self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
                self.assertEqual(self.options(block)["host"], '"dev"')
                self.assertEqual(self.options(block)["use_tls"], "False")
                text = "\n".join(block.notes)
                self.assertIn("shop/settings/production.py:1", text)
                self.assertIn("EMAIL_USE_TLS is assigned at shop/settings/production.py:2", text)

    def test_imports_of_single_names(self):
        self.write(
            {
                "shop/__init__.py": "",
                "shop/secret.py": "EMAIL_HOST_USER = 'ann'\nEMAIL_HOST_PASSWORD = 'hunter2'\n",
                "shop/mailing.py": "import os\nEMAIL_HOST = os.environ.get('H', 'h')\n"
                "PORT = 2525\n",
                "shop/settings.py": "from shop import mailing\n"
                "from shop.secret import EMAIL_HOST_PASSWORD, EMAIL_HOST_USER\n"
                "EMAIL_HOST = mailing.EMAIL_HOST\nEMAIL_PORT = mailing.PORT\n",
            }
        )
        block = self.render("shop.settings")
        self.assertEqual(
            self.options(block),
            {
                "host": '"h"',
                "port": "mailing.PORT",
                "username": '"ann"',
                "password": 'os.environ["EMAIL_HOST_PASSWORD"]',
            },
        )
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at shop/settings.py:3: the block has its present value",
                "EMAIL_HOST_USER is assigned at shop/settings.py:2 and shop/secret.py:1: the "
                "block has its present value",
                "EMAIL_HOST_PASSWORD is assigned at shop/settings.py:2 and shop/secret.py:2: "
                "compare them",
                NOT_SHOWN,
            ],
        )

    def test_a_module_that_is_copied(self):
        self.write(
            {
                "common.py": "import os\nEMAIL_HOST = 'live'\n"
                "if os.environ.get('PROD'): EMAIL_USE_TLS = True\n",
                "conf.py": "import common\nfor name in dir(common):\n"
                "    if name.isupper(): globals()[name] = getattr(common, name)\n",
            }
        )
        block = self.render("conf")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at common.py:2 and conf.py:3: the block has its present "
                "value",
                "EMAIL_USE_TLS is assigned at common.py:3 and conf.py:3, and not in force now: the "
                "block has its default",
                "conf.py:3 may define settings that the command does not see: the block has the "
                "values in force now",
            ],
        )

    def test_a_package_that_does_not_exist(self):
        """No module is imported to find where it is, nor missed."""
        self.write(
            {
                "conf.py": "EMAIL_HOST = 'a'\n"
                "try:\n    from nowhere.at.all import *\nexcept ImportError: pass\n"
                "if 0:\n    from trap.settings import *\n",
                "trap/__init__.py": "raise SystemExit('imported')\n",
                "trap/settings.py": "EMAIL_USE_TLS = True\n",
            }
        )
        block = self.render("conf")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_USE_TLS is assigned at trap/settings.py:1, and not in force now: the block "
                "has its default"
            ],
        )

    def test_files_that_are_executed(self):
        self.write(
            {
                "shop/__init__.py": "",
                "shop/extra.py": "EMAIL_HOST = 'extra'\nif 0: EMAIL_USE_TLS = True\n",
                "shop/settings.py": "from pathlib import Path\nEMAIL_HOST = 'a'\n"
                "exec((Path(__file__).parent / 'extra.py').read_text())\n",
            }
        )
        block = self.render("shop.settings")
        self.assertEqual(self.options(block), {"host": '"extra"', "port": "25", "use_tls": "False"})
        self.assertEqual(
            block.notes,
            [
                "EMAIL_USE_TLS is assigned at shop/extra.py:2, and not in force now: the block "
                "has its default"
            ],
        )

    def test_a_file_that_is_named_elsewhere(self):
        self.write(
            {
                "extra.py": "if 0: EMAIL_USE_TLS = True\n",
                "conf.py": "from pathlib import Path\nEMAIL_HOST = 'a'\n"
                "path = Path(__file__).parent / 'extra.py'\nif path.exists():\n"
                "    exec(path.read_text())\n",
            }
        )
        block = self.render("conf")
        self.assertEqual(self.options(block)["host"], '"a"')
        self.assertEqual(
            block.notes,
            [
                "EMAIL_USE_TLS is assigned at extra.py:1, and not in force now: the block has its "
                "default"
            ],
        )

    def test_a_module_beside_it(self):
        self.write(
            {
                "config/__init__.py": "",
                "config/settings.py": "import importlib, os\n"
                "name = 'config.settings_' + os.environ.get('STAGE', 'dev')\n"
                "globals().update(vars(importlib.import_module(name)))\n",
                "config/settings_dev.py": "EMAIL_HOST = 'dev'\n",
                "config/settings_live.py": "EMAIL_HOST = 'live'\nEMAIL_USE_TLS = True\n",
                "config/tests.py": "override_settings(EMAIL_TIMEOUT=1)\n",
            }
        )
        block = self.render("config.settings")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at config/settings_dev.py:1, config/settings_live.py:1 and "
                "config/settings.py:3: the block has its present value",
                "EMAIL_USE_TLS is assigned at config/settings_live.py:2 and config/settings.py:3, "
                "and not in force now: the block has its default",
                "config/settings.py:3 may define settings that the command does not see: the block "
                "has the values in force now",
            ],
        )

    def test_split_settings(self):
        """As django-split-settings includes files; here it is stood in for."""
        self.write(
            {
                "split_settings/__init__.py": "",
                "split_settings/tools.py": """\
                    import glob, inspect, os
                    def optional(name): return name
                    def include(*names):
                        scope = inspect.stack()[1].frame.f_globals
                        here = os.path.dirname(scope["__file__"])
                        for name in names:
                            for path in sorted(glob.glob(os.path.join(here, name))):
                                with open(path) as file:
                                    exec(compile(file.read(), path, "exec"), scope)
                    """,
                "shop/settings/__init__.py": """\
                    import os
                    from split_settings.tools import include, optional
                    STAGE = os.environ.get("STAGE", "dev")
                    include("parts/*.py", f"stages/{STAGE}.py", optional("local.py"))
                    """,
                "shop/settings/parts/mail.py": "import os\nEMAIL_HOST = 'live'\n",
                "shop/settings/stages/dev.py": "EMAIL_HOST = 'dev'\n",
                "shop/settings/stages/live.py": "EMAIL_USE_TLS = True\n",
            }
        )
        block = self.render("shop.settings")
        self.assertEqual(block.replaced, ["EMAIL_HOST", "EMAIL_USE_TLS"])
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at shop/settings/parts/mail.py:2 and "
                "shop/settings/stages/dev.py:1: the block has its present value",
                "EMAIL_USE_TLS is assigned at shop/settings/stages/live.py:1, and not in force "
                "now: the block has its default",
            ],
        )

    def test_classes_of_django_configurations(self):
        """It defines every setting there is, and says in CONFIGURATION which class it has used."""
        self.write(
            {
                "conf.py": """\
                class Base:
                    EMAIL_HOST = "dev"
                    EMAIL_TIMEOUT = None

                class Production(Base):
                    EMAIL_HOST = "live"
                    EMAIL_USE_TLS = True

                CONFIGURATION = "conf.Base"
                EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
                """
            }
        )
        with mock.patch.dict(sys.modules):
            module = importlib.import_module("conf")
            vars(module).update(configuration.DEFAULTS, EMAIL_HOST="dev")
            current = configuration.of_module(module)
            block = render(current)
        self.assertEqual(
            current.explicit, {"EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_TIMEOUT", "EMAIL_USE_TLS"}
        )
        self.assertEqual(
            self.options(block),
            {"host": '"dev"', "port": "25", "use_tls": "False", "timeout": "None"},
        )
        self.assertEqual(
            block.notes,
            [
                "EMAIL_HOST is assigned at conf.py:2 and conf.py:6: the block has its present "
                "value",
                "EMAIL_USE_TLS is assigned at conf.py:7: the block has its present value",
                "EMAIL_TIMEOUT is assigned at conf.py:3: the block has its present value",
                "the settings are attributes of conf.Base: MAILERS belongs there",
            ],
        )

    def test_copies_of_the_defaults(self):
        self.write({"conf.py": "class Base:\n    MAILERS = {}\n"})
        with mock.patch.dict(sys.modules):
            module = importlib.import_module("conf")
            vars(module).update(configuration.DEFAULTS, MAILERS={}, CONFIGURATION="conf.Base")
            current = configuration.of_module(module)
        self.assertEqual((current.explicit, current.names), (frozenset(), frozenset()))
