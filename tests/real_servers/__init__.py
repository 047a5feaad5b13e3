"""Checks against Postfix, Exim and OpenSMTPD as Debian has them. By hand, as root:

    python runtests.py tests.real_servers --pattern="check_*.py" --parallel 3

and one server, or one scenario, by `check_exim.py`'s name for it:

    python runtests.py tests.real_servers.check_exim -k greylist

`nox -s servers` does it all. Debian (or Ubuntu) is needed, root, and util-linux's unshare and
nsenter. The packages are downloaded to .cache/servers, not installed: each server gets a file
system of its own, which is this machine's with the server's files laid over it, in memory, and its
processes end when the test does, whatever ends that. Where a server cannot be had its checks are
skipped, and say so.

Each is configured as its package is, for mail to some 1,000 local users of example.com, who share
a Maildir; but it trusts no network, and so relays nothing. `daemons.py` has what differs.
"""
