"""The three servers, as Debian configures them, and the few settings that the checks change."""

from __future__ import annotations

import contextlib
import re
import socket
import time
from collections import Counter
from collections.abc import Iterable

from ..support.servers import HOST
from .container import Container
from .packages import fetch

DOMAIN = "example.com"
# There are user0@example.com and so on; all else is unknown.
USERS = 1100
# How long the slowest thing may take: to deliver a thousand messages.
PATIENCE = 90
ID = re.compile(rb"^X-Check: (\S+)", re.MULTILINE)
# The server's own name for it, new each time that it is taken.
TAKEN_AS = re.compile(rb"\sid ([\w-]+)")
# What each server adds when it delivers.
RECIPIENT = re.compile(rb"^(?:Delivered-To|Envelope-to): <?([^@>\s]+)", re.MULTILINE)


def free_ports(number):
    """Return ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def wait_for(condition, what, patience=PATIENCE):
    """Ask again and again: these servers tell nobody when they have done something."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {patience} seconds")
        time.sleep(0.05)


class Daemon:
    """A server in a container. A context manager.

    `ports` has one for each name in `services`, a configuration that differs in one setting;
    "default" differs in none.
    """

    name: str
    package: str
    # The files that are written as the server's log.
    log: str
    # By which its log tells a new connection.
    connected: str
    # And a message that it has taken.
    taken: str
    services: Iterable[str]
    # The names and options of its system users, in the words of useradd.
    accounts: Iterable[str]

    def __init__(self, settings):
        self.settings = settings
        self._log_start = 0
        self.ports = dict(zip(self.services, free_ports(len(list(self.services))), strict=True))

    def __enter__(self):
        self.container = Container(fetch(self.package))
        try:
            self._add_users()
            self.configure()
            self.start()
        except BaseException:
            self.container.close()
            raise
        return self

    def __exit__(self, *error):
        self.container.close()

    def _add_users(self):
        run = self.container.run
        for account in self.accounts:
            run("useradd", "--system", "--user-group", *account.split())
        run("useradd", "--uid=5000", "--user-group", "--home-dir=/mail", "--create-home", "mail0")
        lines = [f"user{n}:x:5000:5000::/mail:/bin/sh\n" for n in range(USERS)]
        with self.container.path("/etc/passwd").open("a") as file:
            file.writelines(lines)
        self.container.write("/etc/mailname", f"{DOMAIN}\n")
        self.container.write("/etc/hosts", f"{HOST} mail.{DOMAIN} localhost\n")
        self.container.write("/etc/aliases", "postmaster: root\n")

    def configure(self):
        raise NotImplementedError

    def start(self):
        """Start it, and wait until it answers on all ports."""
        self.launch()
        for port in self.ports.values():
            wait_for(lambda port=port: self._greets(port), f"{self.name} on {port}", 20)

    @staticmethod
    def _greets(port):
        try:
            with socket.create_connection((HOST, port), timeout=5) as connection:
                greeting = connection.recv(1000)
                connection.sendall(b"QUIT\r\n")
                return greeting.startswith(b"220")
        except OSError:
            return False

    def launch(self):
        raise NotImplementedError

    def stop(self):
        """Stop it as an administrator does."""
        raise NotImplementedError

    def kill(self):
        """Kill what has a connection with a client, without a word to that."""
        raise NotImplementedError

    def flush(self):
        """Start the delivery of all that is queued."""
        raise NotImplementedError

    def queued(self):
        """How many messages are not delivered yet."""
        raise NotImplementedError

    def arrived(self, *, flush=True):
        """Return how often each message was taken for each user, when all is delivered."""
        if flush:
            self.flush()
            wait_for(lambda: self.queued() == 0, f"{self.name} delivers")
        found = set()
        for path in self.container.path("/mail/Maildir/new").glob("*"):
            content = path.read_bytes()
            # Others are the server's own, about what it could not deliver.
            mark = ID.search(content)
            # A server that is killed while it delivers does it again: that is one, not two.
            names = (mark, RECIPIENT.search(content), TAKEN_AS.search(content))
            found.add(tuple(name.group(1).decode() if name else "" for name in names))
        return Counter((mark, recipient) for mark, recipient, _ in found)

    def forget(self):
        """Begin a check: deliver what is left of earlier ones, and remove what has arrived."""
        self.arrived()
        for path in self.container.path("/mail/Maildir/new").glob("*"):
            path.unlink()
        self._log_start = len(self._whole_log())

    def received(self):
        """How many messages it has taken since `forget()`, by its log."""
        return len(re.findall(self.taken, self.read_log()))

    def count_connections(self):
        return len(re.findall(self.connected, self.read_log()))

    def _whole_log(self):
        path = self.container.path(self.log)
        return path.read_text(errors="replace") if path.exists() else ""

    def read_log(self):
        """Return what it has logged since `forget()`."""
        return self._whole_log()[self._log_start :]


class Postfix(Daemon):
    name = "Postfix"
    package = "postfix"
    log = "/var/log/mail.log"
    connected = r"smtpd\[\d+\]: connect from"
    taken = r"cleanup\[\d+\]: \w+: message-id="
    accounts = ("--home-dir=/var/spool/postfix postfix", "postdrop")
    services = ("default", "idle", "greylist", "connections", "rate", "junk", "size")

    def configure(self):
        self.container.shell("""
            cd /etc/postfix
            cp /usr/share/postfix/main.cf.debian main.cf
            cp /usr/share/postfix/master.cf.dist master.cf
            cp /usr/share/postfix/dynamicmaps.cf .
            postalias /etc/aliases
            postfix set-permissions >/dev/null 2>&1 || true
        """)
        settings = {
            "myhostname": f"mail.{DOMAIN}",
            "mydestination": f"{DOMAIN}, localhost",
            # It trusts nobody: not even this machine is exempt from a limit.
            "mynetworks": "",
            "inet_interfaces": HOST,
            "home_mailbox": "Maildir/",
            "maillog_file": self.log,
            "default_transport": "error:this server relays nothing",
        }
        run = self.container.run
        run("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))
        # Debian's copy of /etc for processes in a chroot is made by an init script.
        run("postconf", "-F", "*/*/chroot=n")
        run("postconf", "-MX", "smtp/inet")
        greylist = f"check_policy_service inet:{HOST}:{self.settings['greylist']}"
        options = {
            "default": "",
            "idle": f"smtpd_timeout={self.settings['idle']}s",
            "greylist": f"smtpd_recipient_restrictions={{ {greylist} }}",
            "connections": f"smtpd_client_connection_count_limit={self.settings['connections']}",
            "rate": f"smtpd_client_message_rate_limit={self.settings['rate']}",
            "junk": "smtpd_junk_command_limit=5",
            "size": f"message_size_limit={self.settings['size']}",
        }
        lines = []
        for service, port in self.ports.items():
            lines.append(f"{HOST}:{port} inet n - n - - smtpd\n")
            option = options[service]
            if option:
                name, _, value = option.partition("=")
                lines.append(f"  -o {{ {name} = {value.strip('{}')} }}\n")
        with self.container.path("/etc/postfix/master.cf").open("a") as file:
            file.writelines(lines)

    def launch(self):
        self.container.run("postfix", "start")

    def stop(self):
        self.container.run("postfix", "stop")

    def kill(self):
        self.container.run("pkill", "-KILL", "-x", "smtpd")
        self.container.run("postfix", "stop")

    def flush(self):
        self.container.run("postqueue", "-f")

    def queued(self):
        folders = [
            self.container.path(f"/var/spool/postfix/{name}")
            for name in ("maildrop", "incoming", "active", "deferred")
        ]
        return sum(path.is_file() for folder in folders for path in folder.rglob("*"))


class Exim(Daemon):
    name = "Exim"
    package = "exim4-daemon-heavy"
    # The command line of the daemons and their children, but not of what delivers a message.
    RECEIVING = "^exim4 -C [^ ]* -bd"
    log = "/var/log/exim4/mainlog"
    connected = r"SMTP connection from \S+ \(TCP/IP connection count"
    taken = r" <= \S+ H="
    accounts = ("--badname --home-dir=/var/spool/exim4 Debian-exim",)
    services = ("default", "idle", "greylist", "connections", "rate", "size", "few")

    def configure(self):
        self.container.write(
            "/etc/exim4/update-exim4.conf.conf",
            f"""
dc_eximconfig_configtype='internet'
dc_other_hostnames='{DOMAIN}'
dc_local_interfaces='{HOST}'
dc_relay_domains=''
dc_relay_nets=''
dc_minimaldns='true'
dc_use_split_config='false'
dc_localdelivery='maildir_home'
CFILEMODE='644'
""",
        )
        self.container.shell("""
            install -d -o Debian-exim -g adm -m 2750 /var/log/exim4
            install -d -o Debian-exim -g Debian-exim -m 750 /run/exim4 /var/spool/exim4 \\
                /var/spool/exim4/db /var/spool/exim4/input /var/spool/exim4/msglog
            update-exim4.conf
        """)
        text = self.container.path("/var/lib/exim4/config.autogenerated").read_text()
        # This machine is no exception: it would be allowed any recipient.
        text, changed = re.subn(r"(?m)^MAIN_RELAY_NETS *=.*$", "MAIN_RELAY_NETS =", text)
        assert changed == 1, "the configuration of Exim has changed"
        greylist = f"inet:{HOST}:{self.settings['greylist']}"
        variants = {
            "default": "",
            "idle": f"smtp_receive_timeout = {self.settings['idle']}s\n",
            # As greylistd's documentation has it.
            "greylist": f"""
                defer
                    message = Greylisted, please try again later
                    condition = ${{readsocket{{{greylist}}}\\
                        {{--grey $sender_address $local_part\\n}}}}
            """,
            "connections": f"smtp_accept_max_per_host = {self.settings['connections']}\n",
            "rate": f"""
                defer
                    message = Sending too fast, $sender_rate in $sender_rate_period
                    ratelimit = {self.settings["rate"]} / 1m / per_mail / strict
            """,
            "size": f"MESSAGE_SIZE_LIMIT = {self.settings['size']}\n",
            "few": "smtp_accept_max_per_connection = 7\n",
        }
        for service, port in self.ports.items():
            added = variants[service]
            variant = f"daemon_smtp_ports = {port}\npid_file_path = /run/exim4/{service}.pid\n"
            variant += "MAIN_LOG_SELECTOR = +smtp_connection\n"
            if "defer" in added:
                self.container.write(f"/etc/exim4/{service}.acl", added)
                variant += f"CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/{service}.acl\n"
            else:
                variant += added
            self.container.write(f"/etc/exim4/{service}.conf", variant + text)
        # Else it would give up its rights for a configuration that is not its own.
        self.container.write(
            "/etc/exim4/trusted_configs",
            "".join(f"/etc/exim4/{service}.conf\n" for service in self.ports),
        )

    def launch(self):
        for service in self.ports:
            self.container.run("exim4", "-C", f"/etc/exim4/{service}.conf", "-bd")

    def stop(self):
        self._signal("TERM")

    def kill(self):
        self._signal("KILL")

    def _signal(self, name):
        self.container.run("pkill", f"-{name}", "-f", self.RECEIVING)
        # One that finds its port in use would wait for half a minute.
        wait_for(lambda: not self._receives(), "Exim stops", 20)

    def _receives(self):
        return bool(self.container.run("pgrep", "-f", self.RECEIVING, check=False))

    def is_calm(self):
        """Whether it delivers nothing now, and so will not before the next run of its queue."""
        return not self.container.run("pgrep", "-f", "^/usr/sbin/exim4 .*-Mc", check=False)

    def flush(self):
        self.container.run("exim4", "-C", "/etc/exim4/default.conf", "-qff")

    def queued(self):
        return int(self.container.run("exim4", "-C", "/etc/exim4/default.conf", "-bpc"))


class OpenSMTPD(Daemon):
    name = "OpenSMTPD"
    package = "opensmtpd"
    log = "/var/log/smtpd.log"
    connected = "smtp connected"
    taken = "smtp envelope evpid="
    accounts = (
        "--home-dir=/var/lib/opensmtpd/empty opensmtpd",
        "--home-dir=/var/lib/opensmtpd/empty opensmtpq",
    )
    services = ("default", "greylist")

    # It is told of each recipient, and answers (smtpd-filters(7)).
    FILTER = r"""#!/bin/sh
set -f
while IFS='|' read -r kind version time subsystem phase session token rest; do
    case "$kind|$version" in
        "config|ready") echo "register|filter|smtp-in|rcpt-to"; echo "register|ready" ;;
        "filter|"*)
            answer=proceed
            [ -e "/greylist/$rest" ] || answer="reject|451 4.7.1 Greylisted, try again later"
            : >"/greylist/$rest"
            echo "filter-result|$session|$token|$answer" ;;
    esac
done
"""

    def configure(self):
        self.container.write("/usr/local/bin/greylist", self.FILTER)
        self.container.shell("""
            chmod 755 /usr/local/bin/greylist
            mkdir -p -m 711 /var/spool/smtpd /var/lib/opensmtpd/empty
            mkdir /greylist
            chown opensmtpd /greylist
            chown root:opensmtpq /usr/sbin/smtpctl
            chmod 2755 /usr/sbin/smtpctl
        """)
        ports = self.ports
        self.container.write(
            "/etc/smtpd.conf",
            f"""
table aliases file:/etc/aliases
smtp max-message-size "{self.settings["size"]}"
filter greylist proc-exec "/usr/local/bin/greylist" user opensmtpd
listen on {HOST} port {ports["default"]} hostname mail.{DOMAIN}
listen on {HOST} port {ports["greylist"]} hostname mail.{DOMAIN} filter greylist
action "local" maildir alias <aliases>
match from any for domain "{DOMAIN}" action "local"
""",
        )

    def forget(self):
        super().forget()
        self.container.shell("rm -f /greylist/*")

    def launch(self):
        # In the foreground it writes its log to standard error; there is no syslog here.
        self.container.shell(f"setsid smtpd -d >>{self.log} 2>&1 &")

    def stop(self):
        self.container.run("pkill", "-TERM", "-o", "-x", "smtpd")
        wait_for(lambda: not self._runs(), "OpenSMTPD stops", 20)

    def kill(self):
        self.container.run("pkill", "-KILL", "-x", "smtpd")
        wait_for(lambda: not self._runs(), "OpenSMTPD stops", 20)

    def _runs(self):
        return bool(self.container.run("pgrep", "-x", "smtpd", check=False))

    def flush(self):
        self.container.run("smtpctl", "schedule", "all", check=False)

    def queued(self):
        return len(self.container.run("smtpctl", "show", "queue").splitlines())
