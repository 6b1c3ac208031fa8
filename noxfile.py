"""The tests on other Pythons (`nox -s tests-3.13`) and on the lowest versions (`minimum-3.10`)."""

from __future__ import annotations

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
    overrides = Path(session.create_tmp(), "overrides.txt")
    overrides.write_text(OVERRIDES)
    # What is installed already and fits is kept, so the lowest come first.
    # Flask 2.3's test client reads a version that Werkzeug 3 tells with a warning, or not at all.
    session.install("-e", ".", "werkzeug==2.3.*", "--resolution", "lowest-direct")
    session.install("-e", ".", "--group", "test", "--override", str(overrides))
    session.run(*PYTEST, *session.posargs)
