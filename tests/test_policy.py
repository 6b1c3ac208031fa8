"""The text of what `flask s3 policy` prints, and what it refuses; others enforce it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import Shop
from flask import Blueprint
from steps import Site, site

from flask_s3.access.kinds import Use
from flask_s3.access.permissions import PERMISSIONS, needed
from flask_s3.cli.policy import policy as policy_command
from flask_s3.release.records import owner

FILES = {"a.css": "a{}", "b.png": "b"}

LEAST = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"}


def printed(mine: Site, *options: str) -> dict[str, Any]:
    """The policy that the command prints."""
    return mine.run("policy", *options).json


def actions_in(policy: dict[str, Any]) -> set[str]:
    return {action for one in policy["Statement"] for action in one["Action"]}


def resources_in(policy: dict[str, Any]) -> dict[str, list[str]]:
    return {one["Sid"].removeprefix("FlaskS3"): one["Resource"] for one in policy["Statement"]}


@pytest.fixture
def shop(make_app) -> Site:
    """An app whose bucket nobody asks."""
    app = make_app(FILES, {"FLASKS3_BUCKET_NAME": "my-bucket"})
    return Site(app, None)


def test_it_needs_no_network_no_credentials_and_no_bucket(tmp_path):
    config = {"FLASKS3_BUCKET_NAME": "b-1", "FLASKS3_ENDPOINT_URL": "http://127.0.0.1:1"}
    shop = Shop(tmp_path / "shop", {"a.css": "a{}"}, config)

    ended = shop.run("policy")

    assert (ended.code, ended.stderr) == (0, "")
    assert resources_in(ended.json)["Bucket"] == ["arn:aws:s3:::b-1"]


def test_only_the_app_s_own_keys_may_be_written(shop):
    shop.app.config.update(FLASKS3_PREFIX="/v2/", FLASKS3_APP="web")
    shop.app.register_blueprint(
        Blueprint("admin", "admin", static_folder="static", url_prefix="/admin")
    )
    policy = printed(shop, "--for", "deploy", "--for", "prune")

    own = f".flask-s3/{owner('web', 'v2')}/*"
    writable = {
        resource.partition(":::my-bucket/")[2]
        for one in policy["Statement"]
        for resource in one["Resource"]
        if {"s3:PutObject", "s3:DeleteObject"} & set(one["Action"])
    }
    assert writable == {"v2/static/*", "v2/admin/static/*", own}


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        (None, "aws"),
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_resources_are_in_the_partition_of_the_region(shop, region, partition):
    shop.app.config["FLASKS3_REGION"] = region
    starts = {
        resource.partition(":s3:::")[0]
        for resources in resources_in(printed(shop)).values()
        for resource in resources
    }

    assert starts == {f"arn:{partition}"}
    assert printed(shop, "--bucket")["Statement"][0]["Resource"] == [
        f"arn:{partition}:s3:::my-bucket/static/*"
    ]


def test_a_prefix_with_a_wildcard_is_taken_at_its_word(shop):
    shop.app.config["FLASKS3_PREFIX"] = "a*b?${c}$d"

    (resource,) = resources_in(printed(shop))["StaticFiles"]

    assert resource == "arn:aws:s3:::my-bucket/a${*}b${?}${$}{c}$d/static/*"
    assert "a policy reads as a pattern" in shop.run("policy", "--bucket", code=2).stderr


def test_a_bucket_s_policy_that_opens_our_records_is_not_printed(shop):
    shop.app.config["FLASKS3_PREFIX"] = ".flask-s3"

    assert "leads to our own records" in shop.run("policy", "--bucket", code=2).stderr


def test_a_prefix_of_other_letters_is_in_a_policy_of_ascii_as_iam_wants_it(shop):
    shop.app.config["FLASKS3_PREFIX"] = "été/日本"

    ended = shop.run("policy")

    assert ended.stdout.isascii()
    assert resources_in(ended.json)["StaticFiles"] == ["arn:aws:s3:::my-bucket/été/日本/static/*"]


def test_a_static_route_at_the_root_is_warned_of(make_app):
    app = make_app(FILES, {"FLASKS3_BUCKET_NAME": "b-1"}, static_url_path="")
    ended = Site(app, None).run("policy")

    assert resources_in(ended.json)["StaticFiles"] == ["arn:aws:s3:::b-1/*"]
    assert "this policy reaches every key in it" in ended.stderr
    assert "set FLASKS3_PREFIX" in ended.stderr
    assert Site(app, None).run("policy", "--for", "plan").stderr == ""


def test_an_app_without_static_files_gets_no_statement_about_them(make_app):
    app = make_app(FILES, {"FLASKS3_BUCKET_NAME": "b-1"}, static_folder=None)

    assert "StaticFiles" not in resources_in(printed(Site(app, None)))
    assert "no static route" in Site(app, None).run("policy", "--bucket", code=2).stderr


KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize("how", ["an option", "a header"])
def test_a_kms_key_may_be_used_and_no_other(shop, how):
    options = ("--kms-key", KEY)
    if how == "a header":
        options = ()
        shop.app.config["FLASKS3_HEADERS"] = {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": KEY,
        }
    ended = shop.run("policy", *options)

    (statement,) = (one for one in ended.json["Statement"] if "Key" in one["Sid"])
    assert statement["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert statement["Resource"] == [KEY]
    assert ended.stderr == ""


def test_a_kms_key_that_is_not_known_is_asked_for(shop):
    shop.app.config["FLASKS3_HEADERS"] = {"x-amz-server-side-encryption": "aws:kms"}

    assert "pass --kms-key ARN" in shop.run("policy").stderr


def test_a_distribution_may_be_invalidated_and_no_other(shop):
    shop.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E2EXAMPLE1ABCD"

    assert resources_in(printed(shop))["Distribution"] == [
        "arn:aws:cloudfront::*:distribution/E2EXAMPLE1ABCD"
    ]
    assert resources_in(printed(shop, "--for", "purge", "--account", "123456789012")) == {
        "Distribution": ["arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE1ABCD"]
    }


def test_the_bucket_s_policy_is_the_one_that_setup_writes(mini_bucket, make_app):
    mine = site(make_app(FILES), mini_bucket)
    mine.run("setup", "--yes")

    written = mini_bucket.client.get_bucket_policy(Bucket=mini_bucket.name)["Policy"]

    assert printed(mine, "--bucket") == json.loads(written)


def test_behind_cloudfront_the_bucket_s_policy_lets_nobody_else_read(shop):
    shop.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E2EXAMPLE1ABCD"

    (statement,) = printed(shop, "--bucket", "--account", "123456789012")["Statement"]

    assert statement["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {
            "AWS:SourceArn": "arn:aws:cloudfront::123456789012:distribution/E2EXAMPLE1ABCD"
        }
    }
    assert statement["Resource"] == ["arn:aws:s3:::my-bucket/static/*"]
    assert printed(shop, "--bucket", "--access", "policy")["Statement"][0]["Principal"] == "*"


def test_a_policy_that_iam_would_not_take_is_warned_of(shop):
    for number in range(200):
        shop.app.register_blueprint(
            Blueprint(f"b{number}", "b", static_folder="static", url_prefix=f"/blueprint-{number}")
        )
    ended = shop.run("policy")

    text = "".join(json.dumps(ended.json).split())
    assert f"The policy has {len(text):,} characters, and IAM takes 6,144" in ended.stderr
    assert len(ended.json["Statement"]) > 3


# -- by settings


@pytest.mark.parametrize(
    ("headers", "options", "more"),
    [
        ({}, (), ()),
        ({}, ("--access", "acl"), ("s3:PutObjectAcl",)),
        ({"X-Amz-Acl": "private"}, (), ("s3:PutObjectAcl",)),
        ({"x-amz-grant-read": "id=1"}, (), ("s3:PutObjectAcl",)),
        ({"x-amz-tagging": "a=b"}, (), ("s3:GetObjectTagging", "s3:PutObjectTagging")),
        ({"x-amz-object-lock-mode": "GOVERNANCE"}, (), ("s3:PutObjectRetention",)),
        ({"x-amz-object-lock-legal-hold": "ON"}, (), ("s3:PutObjectLegalHold",)),
        ({"Cache-Control": "no-cache", "x-amz-meta-x-amz-acl": "1"}, (), ()),
    ],
    ids=str,
)
@pytest.mark.parametrize("setting", ["FLASKS3_HEADERS", "FLASKS3_FILEPATH_HEADERS"])
def test_headers_that_need_a_permission_of_their_own_get_it(shop, setting, headers, options, more):
    shop.app.config[setting] = {r"\.css$": headers} if "FILEPATH" in setting else headers

    policy = printed(shop, *options)

    assert actions_in(policy) == LEAST | set(more)


# -- GitHub


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ((), "repo:octocat/shop:ref:refs/heads/main"),
        (("--branch", "release/v1"), "repo:octocat/shop:ref:refs/heads/release/v1"),
        (("--environment", "prod: eu"), "repo:octocat/shop:environment:prod%3A eu"),
    ],
)
def test_only_this_branch_or_environment_of_this_repository_is_trusted(shop, options, subject):
    named = ("--github", "octocat/shop", "--account", "123456789012")

    (statement,) = printed(shop, *named, *options)["Statement"]

    provider = "token.actions.githubusercontent.com"
    assert statement["Principal"] == {
        "Federated": f"arn:aws:iam::123456789012:oidc-provider/{provider}"
    }
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"] == {
        "StringEquals": {f"{provider}:aud": "sts.amazonaws.com", f"{provider}:sub": subject}
    }


def test_a_subject_with_ids_is_taken_as_github_shows_it(shop):
    named = ("--github", "octocat@12/shop@34", "--account", "123456789012")

    (statement,) = printed(shop, *named)["Statement"]

    subjects = statement["Condition"]["StringEquals"].values()
    assert "repo:octocat@12/shop@34:ref:refs/heads/main" in subjects


def test_in_china_the_audience_is_another_one(shop):
    shop.app.config["FLASKS3_REGION"] = "cn-north-1"

    (statement,) = printed(shop, "--github", "a/b", "--account", "123456789012")["Statement"]

    assert "sts.amazonaws.com.cn" in statement["Condition"]["StringEquals"].values()


# -- bad input


ACCOUNT = ("--account", "123456789012")
GITHUB = ("--github", "octocat/shop")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (GITHUB, "pass --account"),
        ((*GITHUB, "--account", "1234"), "has 12 digits"),
        ((*GITHUB, "--account", "\u0661" * 12), "has 12 digits"),
        (("--account", "me"), "has 12 digits"),
        (("--github", "shop", *ACCOUNT), "pass OWNER/REPO"),
        (("--github", "", *ACCOUNT), "pass OWNER/REPO"),
        (("--github", "octocat/*", *ACCOUNT), "pass OWNER/REPO"),
        (("--github", "a/b:ref:refs/heads/x", *ACCOUNT), "pass OWNER/REPO"),
        (("--github", "a/b\n", *ACCOUNT), "pass OWNER/REPO"),
        ((*GITHUB, *ACCOUNT, "--branch", "*"), "without wildcards"),
        ((*GITHUB, *ACCOUNT, "--branch", "a\nb"), "without wildcards"),
        ((*GITHUB, *ACCOUNT, "--branch", ""), "without wildcards"),
        ((*GITHUB, *ACCOUNT, "--environment", "prod?"), "without wildcards"),
        ((*GITHUB, *ACCOUNT, "--environment", ""), "without wildcards"),
        ((*GITHUB, *ACCOUNT, "--environment", "e", "--branch", "b"), "pass one"),
        (("--branch", "main"), "go with --github"),
        (("--for", "plan", "--bucket"), "pass one of them"),
        ((*GITHUB, *ACCOUNT, "--bucket"), "pass one of them"),
        (("--for", "serve"), "'serve' is not one of"),
        (("--for", "purge"), "FLASKS3_CLOUDFRONT_DISTRIBUTION is not set"),
        (("--bucket", "--access", "acl"), "no bucket policy"),
        (("--bucket", "--access", "none"), "no bucket policy"),
        (("--bucket", "--access", "cloudfront"), "FLASKS3_CLOUDFRONT_DISTRIBUTION is not set"),
        (("--kms-key", ""), "is no ARN of a KMS key"),
        (("--kms-key", "alias/shop"), "is no ARN of a KMS key"),
        (("--kms-key", KEY.replace("key/", "alias/")), "is no ARN of a KMS key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_is_refused_in_a_sentence(shop, options, said):
    ended = shop.run("policy", *options, code=2)

    assert said in ended.stderr
    assert ended.stdout == ""


@pytest.mark.parametrize("options", [(), ("--bucket",), ("--for", "bucket-manifest")], ids=str)
def test_without_a_bucket_s_name_the_setting_is_asked_for(shop, options):
    shop.app.config["FLASKS3_BUCKET_NAME"] = None

    assert "FLASKS3_BUCKET_NAME is not set" in shop.run("policy", *options, code=2).stderr


def test_the_trust_of_github_is_about_no_bucket(shop):
    shop.app.config["FLASKS3_BUCKET_NAME"] = None

    assert printed(shop, *GITHUB, *ACCOUNT)["Statement"]


def test_the_bucket_s_policy_for_cloudfront_asks_for_the_account(shop):
    shop.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = "E2EXAMPLE1ABCD"

    assert "pass --account" in shop.run("policy", "--bucket", code=2).stderr


# -- one place for the fact

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "permissions.md").read_text()


def test_the_page_has_each_action_as_it_is_in_the_table():
    made = [
        f"| `{one.action}` | {one.where.value} | {', '.join(f'`{u.value}`' for u in one.uses)} | "
        f"{one.when.value} | {one.source} |"
        for one in PERMISSIONS
    ]

    assert re.findall(r"(?m)^\| `\w+:\w+` \| .*$", PAGE) == made


def test_the_page_shows_what_is_printed(shop):
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)

    assert shown == shop.run("policy").stdout


def test_the_page_names_each_use_and_option():
    named = set(re.findall(r"(?m)^\| `([\w-]+)`(?: \(when nothing is said\))? \|", PAGE))
    options = {name for parameter in policy_command.params for name in parameter.opts}

    assert {use.value for use in Use} <= named
    assert {name for name in options if name not in PAGE} == {"-h", "--help"} & options


USES = {
    "plan": [Use.PLAN],
    "status": [Use.PLAN],
    "releases": [Use.PLAN],
    "deploy": [Use.DEPLOY],
    "rollback": [Use.DEPLOY],
    "prune": [Use.PRUNE],
    "destroy": [Use.PRUNE],
    "deploy --prune": [Use.DEPLOY, Use.PRUNE],
}


def test_the_page_of_releases_tells_the_same():
    """That page's table is tried out by tests of its own."""
    from test_docs import permissions

    required = {
        command: {one.action for one in needed(uses) if one.required}
        for command, uses in USES.items()
    }

    assert {command: set(actions) for command, actions in permissions().items()} == required
