"""boto3, for what is control and not data: only when needed, since importing it takes 0.3 s."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from .. import endpoints
from ..redaction import without_secrets
from ..settings import Settings
from . import traced
from .protocol import Exchange

# botocore's own patience, a minute and five attempts, would hold up an app that starts.
_CONNECT_SECONDS = 5
_ATTEMPTS = 3


def client(settings: Settings, region: str, service: str = "s3") -> Any:  # noqa: ANN401  (boto3 has no types)
    """Returns boto3's client for a service, with the settings' credentials.

    Args:
        settings: the credentials; for S3, also the store's address.
        region: which requests are signed for.
        service: `s3`, or one of AWS's own such as `sts`; a store that is not AWS is asked for it at
            the same address.
    """
    import boto3  # noqa: PLC0415  (see the top)
    from botocore.config import Config  # noqa: PLC0415  (see the top)

    keys = settings.static_keys()
    given = (
        {}
        if keys is None
        else {
            "aws_access_key_id": keys.access_key_id,
            "aws_secret_access_key": keys.secret_access_key,
            "aws_session_token": keys.session_token,
        }
    )
    style = "path" if settings.endpoint_url else "auto"
    made = boto3.client(
        service,
        region_name=region,
        endpoint_url=settings.endpoint_url if service == "s3" or not on_aws(settings) else None,
        config=Config(
            s3={"addressing_style": style},
            connect_timeout=_CONNECT_SECONDS,
            retries={"total_max_attempts": _ATTEMPTS},
        ),
        **given,
    )
    made.meta.events.register("after-call", partial(_redact, settings.secrets))
    if traced.is_traced():
        _trace(made.meta.events)
    return made


_OURS = "flask_s3"
"""What of a request's context is ours: its key, and of each attempt when it began."""


def _trace(events: Any) -> None:  # noqa: ANN401
    """Tells of each request, those that botocore sends again by itself included."""
    events.register("before-parameter-build", _asked)
    events.register("request-created", _sent)
    events.register("response-received", _answered)


def _asked(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
    key = params.get("Key") or params.get("Prefix") or ""
    context[_OURS] = {"key": str(key), "attempt": 0}


def _sent(request: Any, operation_name: str, **_: object) -> None:  # noqa: ANN401
    body = request.data if isinstance(request.data, bytes | str) else b""
    ours = request.context.get(_OURS, {"key": "", "attempt": 0})
    ours.update(
        operation=operation_name,
        bytes=len(body),
        attempt=ours["attempt"] + 1,
        began=time.monotonic(),
    )


def _answered(
    response_dict: Mapping[str, Any] | None, context: Mapping[str, Any], **_: object
) -> None:
    ours = context.get(_OURS, {})
    if "began" not in ours:
        return
    body = (response_dict or {}).get("body")
    traced.tell(
        Exchange(
            operation=ours["operation"],
            key=ours["key"],
            status=(response_dict or {}).get("status_code"),
            seconds=time.monotonic() - ours["began"],
            bytes=ours["bytes"] or (len(body) if isinstance(body, bytes) else 0),
            attempt=ours["attempt"],
        )
    )


def _redact(secrets: Sequence[str], parsed: Mapping[str, Any] | None, **_: object) -> None:
    """Takes credentials out of an error before boto3 makes an exception of it.

    Stores repeat what they were sent: AWS, for one, in `CanonicalRequest`.
    """
    error = (parsed or {}).get("Error")
    if isinstance(error, dict):
        told = {name: text for name, text in error.items() if isinstance(text, str)}
        error.update({name: without_secrets(text, secrets) for name, text in told.items()})


def on_aws(settings: Settings) -> bool:
    """Returns whether the store is AWS's own, so that AWS's other services know the bucket."""
    host = urlsplit(settings.endpoint_url or "").hostname
    return host is None or endpoints.is_aws(host)


def failures() -> tuple[type[Exception], ...]:
    """Returns what boto3 raises where a request is refused, or cannot be made."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (see the top)

    return BotoCoreError, ClientError


def code_of(error: Exception) -> str:
    """Returns the S3 error code of what boto3 raised, or the name of a transport error."""
    answer = getattr(error, "response", {})
    return str(answer.get("Error", {}).get("Code", type(error).__name__))
