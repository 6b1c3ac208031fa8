"""The tests on other Pythons (`nox -s tests-3.13`) and on the lowest versions (`minimum-3.10`).

What is released is built by `nox -s dist`, and tested as it is installed by `nox -s wheel-3.13`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"

# In which order deploys, prunes and rollbacks do what does not depend on the Python, nor on the
# versions of what we depend on, and it takes a third of the time.
ORDERS = ["faults", "test_fingerprint_deploy.py", "test_records.py", "test_prune.py"]
ORDERS += ["test_releases.py", "test_drift.py", "test_plan_file.py"]
ORDERS += ["test_permissions.py", "test_policy_enforced.py"]
PYTEST = ["pytest", "-n", "2", *(f"--ignore=tests/{name}" for name in ORDERS)]
# What a store answers is the same to each Python, though not to each version of what asks it.
STORES = ["--ignore=tests/test_faults.py", "--ignore=tests/test_setup.py"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
# What the examples need is what pip would take; the rest does not depend on versions.
NEWEST = ["--ignore=tests/test_examples.py", "--ignore=tests/test_packaging.py"]
NEWEST += ["--ignore=tests/typing", "--ignore=tests/test_documentation.py"]
NEWEST += ["--ignore=tests/test_site.py", "--ignore=tests/test_formats.py"]
# The embedded S3 server pins a newer botocore than our lowest boto3 takes, and runs without it.
OVERRIDES = "botocore>=1.40\n"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The tests with the newest dependencies."""
    session.install("-e", ".", "--group", "test")
    session.run(*PYTEST, *STORES, *session.posargs)


@nox.session(python=PYTHONS)
def minimum(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml allows for what we depend on."""
    # What is installed already and fits is kept, so the lowest come first.
    # Flask 2.3's test client reads a version that Werkzeug 3 tells with a warning, or not at all.
    session.install("-e", ".", "werkzeug==2.3.*", "--resolution", "lowest-direct")
    # Not nox's own folder: tests that made theirs in there would see it below the current one.
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder, "overrides.txt")
        overrides.write_text(OVERRIDES)
        session.install("-e", ".", "--group", "test", "--override", str(overrides))
    session.run(*PYTEST, *NEWEST, *session.posargs)


# -- what is released

DIST = Path("dist")
# What users meet first; all of it again would find no more.
INSTALLED = ["compat/test_create_all.py", "compat/test_public_names.py", "compat/test_url_for.py"]
INSTALLED += ["typing", "test_urls.py", "test_serving.py", "test_cli.py", "test_builds.py"]
INSTALLED += ["test_preview.py", "test_lifecycle.py"]
# Without servers, shells and POSIX.
PORTABLE = ["references", "test_urls.py", "test_manifest.py", "compat/test_url_for.py"]
IS_INSTALLED = """
import flask_s3, pathlib, sysconfig
file = pathlib.Path(flask_s3.__file__)
assert file.is_relative_to(sysconfig.get_path("purelib")), file
print("tested is", file)
"""


@nox.session
def dist(session: nox.Session) -> None:
    """The source archive, and from that the wheel: in dist/, as they are uploaded."""
    shutil.rmtree(DIST, ignore_errors=True)
    session.install("build[uv]", "twine")
    session.run("python", "-m", "build", "--installer", "uv")
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))


@nox.session(python=PYTHONS)
def wheel(session: nox.Session) -> None:
    """The source archive's tests, on the wheel in an environment that was empty."""
    with _installed(session, "--group", "test"):
        session.run("pytest", "-n", "2", "--npm", *_paths(INSTALLED), *session.posargs)


@nox.session(python=PYTHONS)
def portable(session: nox.Session) -> None:
    """Those that run on any system, and a build of the smallest example."""
    with _installed(session, "pytest", "hypothesis", "tomli"):
        session.run("pytest", *_paths(PORTABLE), *session.posargs)
        session.chdir(Path("examples", "minimal"))
        session.run("flask", "s3", "build", "--check")


@contextmanager
def _installed(session: nox.Session, *needed: str) -> Iterator[None]:
    """Installs the wheel, and goes where the tests are and our source is not.

    So what the tests import can only be what was installed.
    """
    archive, built = _only(session, "*.tar.gz"), _only(session, "*.whl")
    session.install(str(built), *needed)
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(archive, folder)
        (root,) = Path(folder).iterdir()
        shutil.rmtree(root / "src")
        with session.chdir(root):
            session.run("python", "-c", IS_INSTALLED)
            yield


def _paths(tests: list[str]) -> list[str]:
    return [f"tests/{name}" for name in tests]


def _only(session: nox.Session, pattern: str) -> Path:
    found = [*DIST.glob(pattern)]
    if len(found) != 1:
        session.error(f"{len(found)} files are {DIST / pattern}, not one: run nox -s dist first.")
    return found[0].resolve()
