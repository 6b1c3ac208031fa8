"""COMPAT.md, public names: `create_all`."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from looking import published_in_part, reasons
from proxy import Proxy

from flask_s3 import (
    CredentialsError,
    FlaskS3,
    PublishError,
    SettingsError,
    StoreError,
    create_all,
)
from flask_s3.release.result import Result


def test_create_all_has_the_parameters_of_0_3_in_the_same_order_with_the_same_defaults():
    parameters = inspect.signature(create_all).parameters.values()

    assert [(one.name, one.default, one.kind.name) for one in parameters] == [
        ("app", inspect.Parameter.empty, "POSITIONAL_OR_KEYWORD"),
        ("user", None, "POSITIONAL_OR_KEYWORD"),
        ("password", None, "POSITIONAL_OR_KEYWORD"),
        ("bucket_name", None, "POSITIONAL_OR_KEYWORD"),
        ("location", None, "POSITIONAL_OR_KEYWORD"),
        ("include_hidden", False, "POSITIONAL_OR_KEYWORD"),
        ("filepath_filter_regex", None, "POSITIONAL_OR_KEYWORD"),
        ("put_bucket_acl", True, "POSITIONAL_OR_KEYWORD"),
    ]


def test_every_parameter_may_be_positional_and_wins_over_the_settings(bucket, make_app):
    app = make_app(
        {"css/.a.css": "a", "css/b.css": "b", "js/c.js": "c"},
        {
            "FLASKS3_ENDPOINT_URL": bucket.server.endpoint,
            "AWS_ACCESS_KEY_ID": "not-the-one",
            "AWS_SECRET_ACCESS_KEY": "not-the-one",
            "FLASKS3_BUCKET_NAME": "not-the-one",
            "FLASKS3_REGION": "eu-west-1",
        },
    )
    keys = (bucket.server.access_key, bucket.server.secret_key)

    create_all(app, *keys, bucket.name, "us-east-1", True, "^css", False)

    assert bucket.keys() == ["static/css/.a.css", "static/css/b.css"]


def test_every_parameter_may_be_named(bucket, make_app):
    app = make_app(
        {"css/.a.css": "a", "css/b.css": "b", "js/c.js": "c"},
        {"FLASKS3_ENDPOINT_URL": bucket.server.endpoint},
    )

    create_all(
        app=app,
        user=bucket.server.access_key,
        password=bucket.server.secret_key,
        bucket_name=bucket.name,
        location="us-east-1",
        include_hidden=True,
        filepath_filter_regex="^css",
        put_bucket_acl=False,
    )

    assert bucket.keys() == ["static/css/.a.css", "static/css/b.css"]


def test_the_filter_is_searched_in_the_path_relative_to_the_static_folder(bucket, make_app):
    app = make_app({"css/a.css": "a", "old/css/b.css": "b"}, bucket.config)

    create_all(app, filepath_filter_regex=r"^css")

    assert bucket.keys() == ["static/css/a.css"]


def test_create_all_works_without_the_extension(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    before = app.jinja_env.globals["url_for"]

    create_all(app)

    assert bucket.keys() == ["static/a.css"]
    assert app.jinja_env.globals["url_for"] is before


def test_create_all_works_after_the_extension(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)
    FlaskS3(app)

    create_all(app)

    assert bucket.keys() == ["static/a.css"]


def test_create_all_returns_a_result(bucket, make_app):
    bucket.open_to_anybody("static/*")
    app = make_app(
        {"a.css": "aa", "b.css": "bbb"}, {**bucket.config, "FLASKS3_ONLY_MODIFIED": True}
    )
    create_all(app, filepath_filter_regex="^a")

    result = create_all(app)

    assert replace(result, seconds=0.0, release=None) == Result(
        uploaded=("static/b.css",),
        kept=("static/a.css",),
        deleted=(),
        failed=(),
        failures=(),
        warnings=(),
        bytes=3,
        seconds=0.0,
        release=None,
    )


def test_without_only_modified_everything_is_uploaded_each_time(bucket, make_app):
    app = make_app({"a.css": "a", "b.css": "b"}, bucket.config)
    create_all(app)

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/a.css", "static/b.css"), ())


# -- something cannot be published


def refuse_writing(bucket, key):
    """The bucket's owner forbids to write one key."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket.name}/{key}",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(policy))


def test_what_the_store_refuses_raises_publish_error_after_the_rest_was_published(bucket, make_app):
    refuse_writing(bucket, "static/b.css")
    app = make_app({"a.css": "a", "b.css": "b", "c.css": "c"}, bucket.config)

    result, error = published_in_part(app)

    assert bucket.keys() == ["static/a.css", "static/c.css"]
    assert result.uploaded == ("static/a.css", "static/c.css")
    assert result.failed == ("static/b.css",)
    assert str(error).startswith("1 of 3 files could not be published, every other one was: ")


def test_the_cause_of_publish_error_is_the_store_s_client_error(bucket, make_app):
    refuse_writing(bucket, "static/b.css")
    app = make_app({"a.css": "a", "b.css": "b"}, bucket.config)

    _, error = published_in_part(app)

    assert isinstance(error.__cause__, ClientError)
    assert isinstance(error.__cause__, StoreError)
    assert error.__cause__.response["Error"]["Code"] == "AccessDenied"
    assert error.__cause__.operation_name == "PutObject"


def test_a_file_that_must_not_be_published_raises_publish_error_after_the_rest_was(
    bucket, make_app
):
    app = make_app({"a.css": "a", ".env": "PASSWORD=x"}, bucket.config)

    result, error = published_in_part(app, include_hidden=True)

    assert bucket.keys() == ["static/a.css"]
    assert result.uploaded == ("static/a.css",)
    assert result.failed == ("static/.env",)
    assert error.__cause__ is None


def test_a_key_that_failed_is_sent_again_by_the_next_run(bucket, make_app):
    refuse_writing(bucket, "static/b.css")
    app = make_app({"a.css": "a", "b.css": "b"}, {**bucket.config, "FLASKS3_ONLY_MODIFIED": True})
    published_in_part(app)
    bucket.client.delete_bucket_policy(Bucket=bucket.name)

    result = create_all(app)

    assert (result.uploaded, result.kept) == (("static/b.css",), ("static/a.css",))


def test_a_script_does_not_exit_with_0_when_something_failed(bucket, tmp_path):
    refuse_writing(bucket, "static/b.css")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "b.css").write_text("b")
    script = f"""
        from flask import Flask
        from flask_s3 import create_all
        app = Flask("shop", root_path={str(tmp_path)!r})
        app.config.update({bucket.config!r})
        create_all(app)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "PublishError: 1 of 1 files could not be published" in done.stderr


# -- settings


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"FLASKS3_BUCKET_NAME": None}, "FLASKS3_BUCKET_NAME is not set"),
        ({"FLASKS3_BUCKET_NAME": "https://x"}, "FLASKS3_BUCKET_NAME is 'https://x'"),
        ({"FLASKS3_REGION": "nowhere!"}, "FLASKS3_REGION is 'nowhere!'"),
        ({"FLASKS3_HEADERS": "max-age=1"}, "FLASKS3_HEADERS is 'max-age=1'"),
        ({"FLASKS3_FILEPATH_HEADERS": {"(": {}}}, "FLASKS3_FILEPATH_HEADERS is '('"),
        ({"FLASKS3_GZIP": "perhaps"}, "FLASKS3_GZIP is 'perhaps'"),
        ({"FLASKS3_GZIP_ONLY_EXTS": "css"}, "FLASKS3_GZIP_ONLY_EXTS is 'css'"),
        ({"FLASKS3_IGNORE": ["a/**b\\"]}, "FLASKS3_IGNORE holds a line"),
    ],
)
def test_an_error_of_the_settings_is_a_value_error_that_names_the_setting_and_publishes_nothing(
    bucket, make_app, config, named
):
    app = make_app({"a.css": "a"}, {**bucket.config, **config})

    with pytest.raises(ValueError) as caught:
        create_all(app)

    assert isinstance(caught.value, SettingsError)
    assert named in str(caught.value)
    assert bucket.keys(metadata=True) == []


def test_a_filter_that_is_no_regular_expression_is_a_value_error_that_shows_it(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)

    with pytest.raises(SettingsError, match=r"^filepath_filter_regex is '\('"):
        create_all(app, filepath_filter_regex="(")


HALF_A_PAIR = (
    "{} is set but {} is not, and one is of no use without the other: set both, or neither to use "
    "the AWS credential chain."
)
NO_CREDENTIALS = (
    "No credentials were found in the settings, the environment, a profile or a role: set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
)
ID, SECRET = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ([SECRET], HALF_A_PAIR.format(ID, SECRET)),
        ([ID], HALF_A_PAIR.format(SECRET, ID)),
        ([ID, SECRET], NO_CREDENTIALS),
    ],
    ids=["no secret", "no id", "none"],
)
def test_missing_or_half_credentials_are_one_sentence(mini_bucket, make_app, missing, sentence):
    app = make_app({"a.css": "a"}, {**mini_bucket.config, **dict.fromkeys(missing)})

    with pytest.raises(CredentialsError) as caught:
        create_all(app)

    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == sentence


def test_the_session_token_of_temporary_credentials_is_sent(mini_bucket, make_app):
    with Proxy(mini_bucket.server.endpoint) as proxy:
        config = {"FLASKS3_ENDPOINT_URL": proxy.endpoint, "AWS_SESSION_TOKEN": "a-token"}
        app = make_app({"a.css": "a"}, {**mini_bucket.config, **config})
        with contextlib.suppress(StoreError):  # of a store that checks it
            create_all(app)
        signed = [seen.headers for seen in proxy.seen() if "authorization" in seen.headers]

    assert {headers.get("x-amz-security-token") for headers in signed} == {"a-token"}


# -- the store


def test_a_wrong_secret_is_a_client_error_and_one_sentence(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)

    with pytest.raises(ClientError) as caught:
        create_all(app, password="wrong")

    assert isinstance(caught.value, StoreError)
    assert caught.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
    assert str(caught.value) == (
        f"The store refused GetObject in bucket {bucket.name!r} (SignatureDoesNotMatch): the "
        "secret does not belong to the access key: check AWS_SECRET_ACCESS_KEY."
    )


def test_an_unknown_access_key_is_a_client_error_and_one_sentence(bucket, make_app):
    app = make_app({"a.css": "a"}, bucket.config)

    with pytest.raises(ClientError) as caught:
        create_all(app, user="AKUNKNOWN0000000000")

    assert caught.value.response["Error"]["Code"] == "InvalidAccessKeyId"
    assert str(caught.value) == (
        f"The store refused GetObject in bucket {bucket.name!r} (InvalidAccessKeyId): it does not "
        "know the access key: check AWS_ACCESS_KEY_ID."
    )


def test_somebody_else_s_bucket_is_a_client_error_and_one_sentence(bucket, make_app):
    other = bucket.server.other_user()
    app = make_app({"a.css": "a"}, bucket.config)

    with pytest.raises(ClientError) as caught:
        create_all(app, other.access_key, other.secret_key)

    assert isinstance(caught.value, StoreError)
    assert not isinstance(caught.value, PublishError | ValueError)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    # An answer to HEAD has no body that could name the code; 0.3 raised 403 too.
    assert caught.value.response["Error"]["Code"] in {"AccessDenied", "403"}
    assert re.fullmatch(
        rf"The store refused \w+ in bucket {bucket.name!r} \((AccessDenied|403)\): the credentials "
        r"lack the permission, or the bucket belongs to somebody else: grant s3:\w+ on it to them, "
        r"or choose another FLASKS3_BUCKET_NAME\.",
        str(caught.value),
    )
    assert bucket.keys(metadata=True) == []


def test_a_storage_class_that_the_store_does_not_know_names_the_key_and_the_setting(
    bucket, make_app
):
    rules = {r"\.js$": {"x-amz-storage-class": "NONSENSE"}}
    config = {**bucket.config, "FLASKS3_FILEPATH_HEADERS": rules}
    app = make_app({"a.css": "a", "b.js": "b"}, config)

    result, _ = published_in_part(app)

    assert bucket.keys() == ["static/a.css"]
    assert reasons(result) == {
        "static/b.js": f"The store refused PutObject in bucket {bucket.name!r} "
        "(InvalidStorageClass): it does not know the storage class: correct x-amz-storage-class in "
        "FLASKS3_HEADERS."
    }
