"""Everything that Flask-S3 raises on purpose.

    FlaskS3Error                what a caller catches to catch them all
    ├── SettingsError           (also ValueError) a setting or a call that cannot work: exit code 2
    │   └── CredentialsError    no credentials, or half of a pair
    ├── BuildError              the files cannot be built as asked: exit code 1
    │   └── MissingFile         a URL was asked for that the manifest does not know
    ├── StoreError              the store refused or could not be reached: exit code 1, or 2
    │   │                       where it does not know the credentials
    │   ├── BucketMissing       there is no such bucket
    │   └── WrongRegion         the bucket lives in another region
    ├── ReleaseError            a release cannot be found, brought back or taken away: exit code 1
    ├── PurgeError              the CDN did not drop what changed: exit code 1
    ├── LostRace                somebody else's release came into force first: exit code 3
    └── PublishError            (in `result.py`) something could not be published, everything else
                                was: exit code 1

A message is one sentence or two that say what happened, why, and what to do. What the store answers
is raised as a `StoreError` that is also a `botocore.exceptions.ClientError`, as in 0.3
(`flask_s3.store.s3` makes it, since importing botocore here would cost every app its start).
"""

from __future__ import annotations


class FlaskS3Error(Exception):
    """The base of every error of Flask-S3; its text is meant to be shown to a person.

    Attributes:
        exit_code: what a command ends with when this error stops it (documented in the README).
    """

    exit_code = 1


class SettingsError(FlaskS3Error, ValueError):
    """A setting, an argument or their combination cannot work; nothing was published."""

    exit_code = 2


class CredentialsError(SettingsError):
    """No usable credentials were found; nothing was published."""


class BuildError(FlaskS3Error):
    """The files, or a manifest of them, are not what was asked for; nothing was published."""


class MissingFile(BuildError):
    """A static file was asked for that the manifest does not know (`FLASKS3_STRICT`)."""


# Amazon S3 API Reference, "Error responses". Not AccessDenied: who is known may lack a permission.
_WRONG_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"}
)


class StoreError(FlaskS3Error):
    """The store refused a request, or could not be reached.

    Attributes:
        code: the S3 error code (`AccessDenied`), or the name of a transport error.
        status: the HTTP status, None when no answer came.
        operation: the S3 operation, such as `PutObject`.
        transient: whether the same request may succeed later.
        learned: whether the same write should go out again at once, in the form that the store
            turned out to accept.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int | None,
        operation: str,
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.operation = operation
        self.transient = transient
        self.learned = False
        if code in _WRONG_CREDENTIALS:  # of no more use than none
            self.exit_code = CredentialsError.exit_code

    @property
    def throttled(self) -> bool:
        """Whether the store asked for fewer requests (503 `SlowDown`, 429)."""
        return self.status in {429, 503}


class BucketMissing(StoreError):
    """There is no bucket of that name."""


class ReleaseError(FlaskS3Error):
    """A release cannot be found, brought back or taken away as asked."""


class PurgeError(FlaskS3Error):
    """The CDN did not drop what changed; what was published is in force all the same."""


class LostRace(FlaskS3Error):
    """Somebody else's release came into force first, and ours was not to follow it."""

    exit_code = 3


class WrongRegion(StoreError):
    """The bucket lives in another region than the one the request was signed for.

    Attributes:
        region: where it lives, as the store says.
    """

    region: str = ""
