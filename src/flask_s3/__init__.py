"""Publish a Flask app's static files to S3-compatible storage, and make `url_for` point at them."""

from .errors import (
    CredentialsError,
    FlaskS3Error,
    SettingsError,
    StoreError,
)
from .extension import FlaskS3, create_all, get_setting, published, publishing, url_for
from .release.result import PublishError
from .settings import DEFAULT_SETTINGS

__all__ = [
    "DEFAULT_SETTINGS",
    "CredentialsError",
    "FlaskS3",
    "FlaskS3Error",
    "PublishError",
    "SettingsError",
    "StoreError",
    "create_all",
    "get_setting",
    "published",
    "publishing",
    "url_for",
]
