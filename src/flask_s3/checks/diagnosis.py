"""What the doctor found, in an order that never changes, and what it could not look at. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from ..errors import FlaskS3Error, StoreError
from ..findings import Finding, Verdict
from ..redaction import without_secrets

CHECKS = (
    "app",
    "extension",
    "settings",
    "0.3 settings",
    "switched on",
    "dotted name",
    "store",
    "clock",
    "credentials",
    "bucket",
    "region",
    "release",
    "manifest",
    "ownership",
    "encryption",
    "policy",
    "public access",
    "listing",
    "our records",
    "CORS",
    "CDN",
    "writing",
    "conditional writes",
    "checksums",
)
"""All checks, in the order in which people read them."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that was not run, and why."""

    check: str
    why: str


def fix_of(error: StoreError, grants: str) -> str:
    """Returns what mends that the store failed us: the command `grants` where it refused us."""
    return grants if error.status == 403 else "Mend that, then: flask s3 doctor"


def refused(check: str, error: FlaskS3Error, why: str) -> Finding:
    """Returns the finding that one of our errors is: `what: what to do`.

    Args:
        check: which met with it.
        error: whose text says both.
        why: why that matters.
    """
    what, _, fix = str(error).rpartition(": ")
    is_command = fix.startswith(("pip ", "flask "))
    return Finding(
        check,
        Verdict.ERROR,
        f"{what}." if what else str(error),
        why,
        fix if is_command else fix[:1].upper() + fix[1:],
    )


@dataclass(slots=True)
class Diagnosis:
    """What was found, and what was not looked at."""

    findings: list[Finding] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, *found: Finding) -> bool:
        """Takes findings in; returns whether none of them is an error."""
        self.findings += found
        return all(finding.verdict is not Verdict.ERROR for finding in found)

    def skip(self, why: str, *checks: str) -> None:
        """Notes checks that are not run."""
        done = self._done()
        self.skipped += [Skipped(check, why) for check in checks if check not in done]

    def failed(self, error: StoreError) -> str:
        """Takes in that the store refused what the next check asks for; returns that check."""
        done = self._done()
        check = next(check for check in CHECKS if check not in done)
        self.add(
            Finding(
                check,
                Verdict.ERROR,
                str(error),
                "Neither this nor what comes after it could be looked at.",
                fix_of(error, "flask s3 policy"),
            )
        )
        return check

    def ended(self, why: str) -> Diagnosis:
        """Returns the diagnosis, in order, with all that was not run, for this reason."""
        self.skip(why, *CHECKS)
        self.findings.sort(key=lambda finding: CHECKS.index(finding.check))
        self.skipped.sort(key=lambda one: CHECKS.index(one.check))
        return self

    def _done(self) -> set[str]:
        return {found.check for found in self.findings} | {one.check for one in self.skipped}

    def without(self, secrets: Iterable[str]) -> Diagnosis:
        """Returns the diagnosis with nothing left of secrets, whatever an error repeated."""
        hide = partial(without_secrets, secrets=tuple(secrets))
        self.findings = [
            Finding(f.check, f.verdict, hide(f.what), hide(f.why), hide(f.fix))
            for f in self.findings
        ]
        self.skipped = [Skipped(one.check, hide(one.why)) for one in self.skipped]
        return self

    def reasons(self) -> dict[str, list[str]]:
        """Returns the checks that were not run, by the reason."""
        by_reason: dict[str, list[str]] = {}
        for one in self.skipped:
            by_reason.setdefault(one.why, []).append(one.check)
        return by_reason
