"""A file system and a tree of processes of their own, which go with the process that made them."""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from .packages import Unavailable

TIMEOUT = 60

# What the first process in the container does: $1 is an empty folder, and from $3 on are packages.
# All is in memory, so that no server waits for a disk, and nothing is left of it. Then it waits for
# its input to end, which it does with the test, even one that was killed; with the first process
# all others end (pid_namespaces(7)). In a loop, as a check may kill every other process.
SET_UP = """
set -eu
folder=$1
shift 2
mount -t tmpfs -o mode=755 servers "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" servers "$folder/root"
for package; do
    dpkg-deb --fsys-tarfile "$package" |
        tar --extract --keep-directory-symlink --directory="$folder/root"
done
mount --bind /dev "$folder/root/dev"
mount -t proc proc "$folder/root/proc"
echo ready
until cat >/dev/null; do :; done
"""


# What is done outside, with the same arguments, of which $2 is the above: start it, and in the end
# remove the folder, also when the test can do that no longer. (Without the third descriptor what is
# in the background would have no input.)
RUN = """
exec 3<&0
unshare --mount --propagation=private --pid --fork --kill-child sh -c "$2" sh "$@" <&3 &
echo "$!"
exec 3<&-
wait
rmdir "$1"
"""


class Container:
    """This machine with the files of some packages added, and no process of it. A context manager.

    The network is the machine's own. Raises Unavailable if the machine does not allow it.
    """

    def __init__(self, packages):
        for program in ("unshare", "nsenter", "chroot", "dpkg-deb"):
            if shutil.which(program) is None:
                raise Unavailable(f"there is no {program}")
        if os.geteuid() != 0:
            raise Unavailable("it takes root")
        self._folder = tempfile.mkdtemp(prefix="django-mailers-servers-")
        self._process = subprocess.Popen(
            ["sh", "-c", RUN, "sh", self._folder, SET_UP, *map(str, packages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the test, which needs the server until it has cleaned up.
            start_new_session=True,
        )
        process = f"/proc/{int(self._process.stdout.readline())}"
        if self._process.stdout.readline() != "ready\n":
            error = self._process.communicate()[1].strip()
            self.close()
            raise Unavailable(f"a container cannot be made: {error}")
        self.root = f"{self._folder}/root"
        # Its files, as they are seen from outside.
        self.files = Path(f"{process}/root{self.root}")
        self._enter = [
            *("nsenter", f"--mount={process}/ns/mnt", f"--pid={process}/ns/pid_for_children"),
            *("chroot", self.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
        ]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """End all its processes, and wait for it."""
        try:
            if self._process.poll() is None:
                self._process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            # All of its session; the first process in the container takes the others along.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        finally:
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                stream.close()

    def run(self, *command, check=True):
        """Run a command in it; return what it wrote. Raises if it failed, unless told otherwise."""
        # To a file: a daemon that keeps its standard output open would keep a pipe open, too.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
            done = subprocess.run(
                [*self._enter, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
            output.seek(0)
            text = output.read()
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{text}")
        return text

    def shell(self, script, *arguments):
        """Run a script of the shell, which ends at the first command that fails."""
        return self.run("sh", "-euc", script, "sh", *arguments)

    def path(self, name):
        """Where the file `name` of the container is for this process. It follows no links in it."""
        return self.files / name.lstrip("/")

    def write(self, name, text):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
