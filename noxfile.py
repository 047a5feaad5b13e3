"""The matrix: the suite on every supported pair of Django and Python, and what CI asks besides.

    nox                                              everything
    nox -s tests                                     the suite on every pair
    nox -s "tests(python3.12-django6.1)" -- LABEL    a part of it on one pair
    nox -s packages                                  what other packages send
    nox -s servers                                   what real servers do (Debian, as root)
    nox -s engines                                   what task engines do (Debian, as root)
    nox -s browser                                   the test project in a real browser
    nox -s interrupts                                a pool that is interrupted 50,000 times
    nox -s lint types docs                           the rest

A session whose Python is not installed is skipped; the summary at the end names it.
"""

import os
import shutil
from pathlib import Path

import nox

MATRIX = {
    "5.2": ["3.10", "3.11", "3.12", "3.13", "3.14"],
    "6.0": ["3.12", "3.13", "3.14"],
    "6.1": ["3.12", "3.13", "3.14", "3.15"],
}
PAIRS = [
    nox.param(python, django, id=f"python{python}-django{django}")
    for django, pythons in MATRIX.items()
    for python in pythons
]

# The releases whose mail has to go through MAILERS (tests/packages), and what those checks import.
PACKAGES = [
    "django-anymail==15.2",
    "django-celery-email==3.0.0",
    "django-health-check==4.8.0",
    "django-mail-preview==0.2.2",
    "django-mailer==2.3.2",
    "django-post-office==3.12.0",
    "django-ses==4.8.0",
    "wagtail==8.0.1",
    "boto3==1.44.*",
    "celery==5.7.*",
]

# The task engines (tests/engines), as far as they run on a Django.
ENGINES = {
    "5.2": [
        *("django-tasks==0.12.0", "django-tasks-db==0.13.0", "django-tasks-rq==0.12.0"),
        *("django-tasks-fennel==0.1", "celery[redis]==5.7.*", "packaging", "psycopg[binary]>=3.2"),
    ],
    "6.1": [
        *("django-tasks-db==0.13.0", "django-tasks-rq==0.12.0", "django-tasks-redis==0.4.0"),
        *("django-tasks-fennel==0.1", "celery[redis]==5.7.*", "packaging", "psycopg[binary]>=3.2"),
    ],
}

# The tests whose caches are real servers.
SHARED_CACHES = ["test_failover_servers", "test_ratelimit_shared"]

nox.needs_version = ">=2024.4.15"
nox.options.sessions = [
    *("erase", "tests", "packages", "servers", "engines", "browser"),
    *("coverage", "lint", "types", "docs"),
]
# With pip, as a user installs; not with uv on the machines that happen to have it.
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
# On CI nox would fail these sessions. Skipped, they are still named, and the floor of the coverage
# fails if too much is left out.
nox.options.error_on_missing_interpreters = False


@nox.session(venv_backend="none")
def erase(session: nox.Session) -> None:
    """Forget what earlier runs have measured."""
    for path in Path().glob(".coverage.*"):
        path.unlink()


@nox.session
@nox.parametrize(["python", "django"], PAIRS)
def tests(session: nox.Session, django: str) -> None:
    """Run the suite, or what is named after "--"; on the newest Python measure its coverage.

    Between the oldest and the newest Python of a Django, all but the tests that are tagged "slow".
    """
    # Django 5.2 has no tasks framework. pip cannot know that, as it only asks for the Python.
    extras = "dev,tasks" if django == "5.2" else "dev"
    # Compiling all of Django takes longer than to compile what is imported of it.
    session.install("--no-compile", "-e", f".[{extras}]", f"django~={django}.0")
    labels = session.posargs
    if not labels and session.python not in {MATRIX[django][0], MATRIX[django][-1]}:
        labels = ["--exclude-tag=slow"]
    # Measuring takes half of the time again, least on the newest.
    newest = session.python == MATRIX[django][-1]
    python = ["coverage", "run"] if newest else ["python"]
    session.run(*python, "runtests.py", "--parallel=auto", *labels)


@nox.session
@nox.parametrize(
    ["python", "django"],
    [pair for pair in PAIRS if pair.id in {"python3.11-django5.2", "python3.12-django6.1"}],
)
def packages(session: nox.Session, django: str) -> None:
    """Send with released packages, ported and not, through MAILERS and the bridge."""
    session.install("--no-compile", "-e", ".[dev]", f"django~={django}.0", *PACKAGES)
    session.run(
        *("python", "runtests.py", "tests.packages", "--pattern=check_*.py", *session.posargs),
        env={"DJANGO_SETTINGS_MODULE": "tests.packages.settings"},
    )


@nox.session
@nox.parametrize(
    ["python", "django"], [pair for pair in PAIRS if pair.id == "python3.13-django6.1"]
)
def interrupts(session: nox.Session, django: str) -> None:
    """Interrupt a pool 50,000 times in each way; not among the default sessions, as it is long."""
    session.install("--no-compile", "-e", ".[dev]", f"django~={django}.0")
    session.run(
        *("python", "runtests.py", "test_smtp_slots", "--tag=interrupts", *session.posargs),
        env={"TEST_TIMEOUT": "3600"},
    )


@nox.session
@nox.parametrize(
    ["python", "django"], [pair for pair in PAIRS if pair.id == "python3.12-django6.1"]
)
def servers(session: nox.Session, django: str) -> None:
    """Send to Postfix, Exim and OpenSMTPD, each in a container of its own."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        session.skip("Postfix, Exim and OpenSMTPD take Debian, and root.")
    session.install("--no-compile", "-e", ".[dev]", f"django~={django}.0")
    # All three at once: mostly they wait.
    session.run(
        *("python", "runtests.py", "tests.real_servers", "--pattern=check_*.py"),
        *(session.posargs or ["--parallel=3"]),
    )


@nox.session
@nox.parametrize(
    ["python", "django"],
    [pair for pair in PAIRS if pair.id in {"python3.11-django5.2", "python3.12-django6.1"}],
)
def engines(session: nox.Session, django: str) -> None:
    """Send in the background on real task engines, and kill their workers."""
    packages = ["postgresql", "redis-server", "memcached"]
    if not install_debian(session, ["pg_ctlcluster", "redis-server", "memcached"], packages):
        session.skip("PostgreSQL, Redis or Memcached are missing. That takes Debian, and root.")
    session.install("--no-compile", "-e", ".[dev]", f"django~={django}.0", *ENGINES[django])
    session.run(
        *("python", "runtests.py", "tests.engines", "--pattern=check_*.py"),
        *(session.posargs or ["--parallel=2"]),
    )
    if not session.posargs:
        # Elsewhere they are skipped where there are no servers.
        session.run("python", "runtests.py", "--parallel=2", *SHARED_CACHES)


@nox.session
@nox.parametrize(
    ["python", "django"], [pair for pair in PAIRS if pair.id == "python3.12-django6.1"]
)
def browser(session: nox.Session, django: str) -> None:
    """See the mail of the test project in Debian's chromium, which is installed if need be."""
    if not install_debian(session, ["chromium", "chromedriver"], ["chromium", "chromium-driver"]):
        session.skip("Chromium and its driver are not installed. That takes Debian, and root.")
    session.install("--no-compile", "-e", ".[dev]", f"django~={django}.0", "selenium==4.*")
    session.run(
        *("python", "runtests.py", "tests.browser", "--pattern=check_*.py", *session.posargs),
    )


def install_debian(session: nox.Session, programs: list[str], packages: list[str]) -> bool:
    """Return whether the programs are there, after an attempt to install Debian's packages."""
    install = ["install", "--yes", "--no-install-recommends", *packages]
    # The lists of this machine may be missing, or too old.
    for arguments in (install, ["update"], install):
        if all(map(shutil.which, programs)):
            return True
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            return False
        session.run(
            *("apt-get", "--quiet", "--option=DPkg::Lock::Timeout=60", *arguments),
            # Without starting them: the tests have servers of their own.
            env={"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
            external=True,
            silent=True,
            # It fails where there is no network, or another Linux has no such package.
            success_codes=[0, 100],
        )
    return all(map(shutil.which, programs))


@nox.session
def coverage(session: nox.Session) -> None:
    """Hold what the tests have covered, on the newest Python of each Django, against the floor."""
    session.install("coverage[toml]>=7.10")
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style and the format."""
    session.install("ruff==0.17.*")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
@nox.parametrize(
    ["python", "django", "stubs"],
    [
        nox.param(python, django, stubs, id=f"python{python}-django{django}-stubs{stubs}")
        for python, django, stubs in [
            ("3.12", "6.1", "6.1"),
            ("3.11", "5.2", "6.1"),
            ("3.11", "5.2", "5.2"),
        ]
    ],
)
def types(session: nox.Session, django: str, stubs: str) -> None:
    """Check the types of the package, and of a project that uses it (tests/typing)."""
    session.install(
        *("--no-compile", "-e", ".[dkim,dns]", f"django~={django}.0", f"django-stubs~={stubs}.0"),
        *("libcst>=1.5", "mypy==2.4.*", "pyright[nodejs]==1.1.414", "pytest>=8", "trustme>=1.2"),
    )
    # The stubs of 5.2 have neither `mailers` nor `using`; the rest has to pass with them.
    files = [] if stubs == "6.1" else ["tests/typing/backends.py", "tests/typing/results.py"]
    session.run("mypy", "--follow-imports=silent", *files)
    session.run("pyright", f"--pythonpath={session.bin}/python", *files)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    session.install("--no-compile", "-e", ".[docs]")
    session.run("sphinx-build", "--quiet", "-W", "--keep-going", "docs", "docs/_build/html")
