"""The files of Debian's packages, downloaded without being installed."""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "servers"
INSTALLED = re.compile(r"^Inst (\S+) (?:\[[^]]*\] )?\((\S+) ", re.MULTILINE)
TIMEOUT = 180


class Unavailable(Exception):
    """A server cannot be had on this machine; the text says why."""


def fetch(name):
    """Return the .deb of a package, and those of what it needs and this machine does not have.

    Raises Unavailable.
    """
    if shutil.which("apt-get") is None:
        raise Unavailable("there is no apt-get")
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        return _download(name)
    except Unavailable:
        # The lists of this machine may be missing, or too old.
        with _lock():
            _apt_get("update")
        return _download(name)


def _download(name):
    # Installing one of these servers would remove another: apt-get is only asked what that would
    # take, which takes it seconds, so that the answer is kept.
    plan = FOLDER / f"{name}.plan"
    if not plan.exists() or not all(path.exists() for path in _files(plan)):
        answer = _apt_get("install", "--simulate", "--no-install-recommends", name)
        packages = INSTALLED.findall(answer)
        with _lock():
            if packages:
                _apt_get("download", *(f"{package}={version}" for package, version in packages))
            plan.write_text("".join(f"{package}={version}\n" for package, version in packages))
    return _files(plan)


def _files(plan):
    """Return where the packages of a plan are, or would be."""
    # A colon is encoded in names of files, and the architecture is at their end.
    patterns = [
        line.replace("=", "_").replace(":", "%3a") + "_*.deb" for line in plan.read_text().split()
    ]
    return [next(FOLDER.glob(pattern), FOLDER / pattern) for pattern in patterns]


@contextlib.contextmanager
def _lock():
    """Wait for the other processes that download something."""
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _apt_get(*arguments):
    try:
        done = subprocess.run(
            # Its user for downloads may have no access to the folder.
            ["apt-get", "--quiet", "--option=APT::Sandbox::User=root", *arguments],
            cwd=FOLDER,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"apt-get {arguments[0]} took more than {TIMEOUT} seconds") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise Unavailable(f"apt-get {arguments[0]}: {reason}")
    return done.stdout
