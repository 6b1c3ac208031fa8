"""What must not become public: names and contents that are secrets.

Sources: GitHub Docs, "Supported secret scanning patterns" and "About authentication to GitHub"
(`ghp_` + 36 characters); Stripe Docs, "API keys" (`sk_live_`); IAM User Guide, "IAM identifiers"
(`AKIA` + 16 characters) and its 40-character secrets; RFC 7468 § 10 and 11 (PEM private keys).
"""

from __future__ import annotations

import re

# Larger files are film, sound and archives; searching them would cost more than their upload.
SCANNED_BYTES = 8 * 1024 * 1024

_NAMES = (
    (
        re.compile(r"(^|/)\.env(\.|$|/)|(^|/)\.env[^/]*$"),
        "it is an environment file, which holds secrets",
    ),
    (re.compile(r"(^|/)\.git(/|$)"), "it is part of a Git repository"),
    (
        re.compile(r"(^|/)\.aws(/|$)"),
        "it is part of the AWS configuration, which holds credentials",
    ),
)
_AWS_ID = rb"\bAKIA[0-9A-Z]{16}\b"
_AWS_SECRET = rb"(?<![0-9A-Za-z/+=])[0-9A-Za-z/+]{40}(?![0-9A-Za-z/+=])"
# Each with a literal that is searched first: that is a hundred times as fast as the expression.
_CONTENTS = (
    (
        b"PRIVATE KEY-----",
        re.compile(
            rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:\\n|\s)+"
            rb"(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=]{32}"
        ),
        "it holds a private key",
    ),
    (b"sk_live_", re.compile(rb"\bsk_live_[0-9A-Za-z]{24,}"), "it holds a live Stripe key"),
    (b"ghp_", re.compile(rb"\bghp_[0-9A-Za-z]{36}\b"), "it holds a GitHub token"),
    (
        b"AKIA",
        re.compile(
            rb"%b(?=[\s\S]{0,200}?%b)|%b(?=[\s\S]{0,200}?%b)"
            % (_AWS_ID, _AWS_SECRET, _AWS_SECRET, _AWS_ID)
        ),
        "it holds an AWS access key beside its secret",
    ),
)


def refused_name(filename: str) -> str | None:
    """Returns why a file may not be published, by its path; None when nothing speaks against it."""
    if "/." not in f"/{filename}":
        return None
    return next((reason for pattern, reason in _NAMES if pattern.search(filename)), None)


def refused_content(data: bytes) -> str | None:
    """Returns why a file may not be published, by its content; None when it may."""
    return next(
        (
            reason
            for literal, pattern, reason in _CONTENTS
            if literal in data and pattern.search(data)
        ),
        None,
    )
