"""A `flask` that starts at once: forked from a process that has imported everything.

The pages of the documentation have some hundred commands, of a second's start each. On their PATH
is a `flask` that hands `flask s3 …`, with its folder, environment and open files, to a process that
forks; every other command goes to the real one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_CLIENT = """#!{python} -ISu
import array, json, os, socket, sys

line = sys.argv[1:]
rest = line[2:] if line[:1] == ["--app"] else line
if rest[:1] != ["s3"] or "preview" in rest:
    os.execv({flask!r}, ["flask", *line])
order = json.dumps({{"line": line, "folder": os.getcwd(), "environ": dict(os.environ)}}).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    files = array.array("i", [0, 1, 2])
    server.sendmsg([b"%08d" % len(order)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    server.sendall(order)
    code = server.recv(8)
sys.exit(int(code or 255))
"""


@contextmanager
def quick_flask() -> Iterator[str]:
    """Yields a folder for the PATH, whose `flask` starts at once while the block runs."""
    with TemporaryDirectory() as folder:
        address, script = f"{folder}/socket", Path(folder, "flask")
        real = Path(sys.executable).with_name("flask")
        script.write_text(_CLIENT.format(python=sys.executable, flask=str(real), address=address))
        script.chmod(0o755)
        server = subprocess.Popen(
            [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        try:
            assert server.stdout.readline() == b"ready\n"
            yield folder
        finally:
            server.kill()
            server.communicate()


# -- the other side


def _serve(address: str) -> None:
    import signal
    import socket

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(asked)
            asked.close()


def _answer(asked) -> None:
    """Does what is asked, in this process, which ends with it."""
    import atexit
    import signal
    import socket
    import traceback

    code = 70
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        length, files, _, _ = socket.recv_fds(asked, 8, 3)
        order = json.loads(asked.recv(int(length), socket.MSG_WAITALL))
        for place, file in enumerate(files):
            os.dup2(file, place)
        # As Python opens them when it starts: errors a line at a time.
        sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
        sys.stderr = os.fdopen(2, "w", buffering=1)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["environ"])
        code = _run(order["line"])
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        asked.sendall(b"%d" % code)
        os._exit(0)


def _run(line: list[str]) -> int:
    from flask.cli import FlaskGroup

    from flask_s3.cli.commands import s3

    group = FlaskGroup(add_default_commands=False)
    group.add_command(s3)
    group._loaded_plugin_commands = True  # those of all other packages: a second and more
    try:
        group.main(line, prog_name="flask")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


if __name__ == "__main__":
    import importlib

    # What every command imports, so that none has to; no thread and no connection comes of it.
    for name in (
        "awscrt.auth",
        "awscrt.http",
        "awscrt.s3",
        "botocore.session",
        "boto3",
        "flask_s3.cli.commands",
        "flask_s3.access.carry_out",
        "flask_s3.checks.doctor",
        "flask_s3.checks.verify",
        "flask_s3.release.deploy",
        "flask_s3.release.prune",
        "flask_s3.release.rollback",
    ):
        importlib.import_module(name)
    _serve(sys.argv[1])
