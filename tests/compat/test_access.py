"""COMPAT.md, public names, "Access": what `put_bucket_acl` promises, and what is never touched."""

from __future__ import annotations

import json

import pytest
from conftest import write_files
from flask import Blueprint
from looking import ALL_USERS, anonymous_statuses, anonymously, answer_of, records
from proxy import Answer as Fault
from proxy import Proxy
from steps import Site

from flask_s3 import create_all
from flask_s3.access import carry_out

BLOCKED = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
OPENED_JUST_SO_FAR = {**BLOCKED, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}

CEPH = pytest.param("ceph", marks=pytest.mark.ceph)
# How a bucket came to be readable, on each server that knows the way.
OPENED = [
    ("ministack", "created"),
    ("ministack", "with ACLs"),
    ("ministack", "opened by the command"),
    ("seaweedfs", "created"),
    ("seaweedfs", "opened by the command"),
    pytest.param("ceph", "created", marks=pytest.mark.ceph),
    pytest.param("ceph", "with ACLs", marks=pytest.mark.ceph),
]


@pytest.fixture(params=["ministack", "seaweedfs", CEPH])
def any_server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def any_bucket(any_server, new_bucket):
    """An existing bucket, made with the server's defaults, on each of the three servers."""
    return new_bucket(any_server).create()


@pytest.fixture(params=["ministack", CEPH])
def acl_bucket(request, new_bucket):
    """An existing bucket where ACLs are enabled and nothing blocks public ones."""
    return with_acls(new_bucket(request.getfixturevalue(request.param)))


def with_acls(bucket):
    if bucket.server.name == "ceph":  # knows nothing else
        return bucket.create()
    bucket.create(ObjectOwnership="BucketOwnerPreferred")
    bucket.client.delete_public_access_block(Bucket=bucket.name)
    return bucket


def grants(bucket, key):
    """Who may do what with an object, by its ACL; the owner left out."""
    acl = bucket.client.get_object_acl(Bucket=bucket.name, Key=key)
    return [
        (grant["Grantee"]["URI"], grant["Permission"])
        for grant in acl["Grants"]
        if "URI" in grant["Grantee"]
    ]


def bucket_acl(bucket):
    acl = bucket.client.get_bucket_acl(Bucket=bucket.name)
    return acl["Owner"], acl["Grants"]


def statements(bucket):
    """The statements of the bucket's policy; None without one."""
    answer = answer_of(lambda: bucket.client.get_bucket_policy(Bucket=bucket.name))
    if answer == "NoSuchBucketPolicy":
        return None
    return [with_a_list(statement) for statement in json.loads(answer["Policy"])["Statement"]]


def with_a_list(statement):
    """The statement as we wrote it: a store may keep a list of one resource as a string."""
    if isinstance(statement.get("Resource"), str):
        return {**statement, "Resource": [statement["Resource"]]}
    return statement


def everything_about_access(bucket):
    """What a deploy might have changed of a bucket."""
    client, name = bucket.client, {"Bucket": bucket.name}
    return {
        "acl": bucket_acl(bucket),
        "policy": statements(bucket),
        "block": answer_of(lambda: client.get_public_access_block(**name)),
        "ownership": answer_of(lambda: client.get_bucket_ownership_controls(**name)),
        "cors": answer_of(lambda: client.get_bucket_cors(**name)),
    }


def set_up(app, bucket):
    """Does what the sentence of a deploy names."""
    Site(app, bucket).run("setup", "--yes")


def shop(make_app, bucket, **options):
    return make_app({"css/a.css": "a{}"}, bucket.config, **options)


def of_access(bucket, result):
    """The warnings, but for the one of a store whose If-Match never matches: Ceph RGW 16."""
    if bucket.server.name != "ceph":
        return result.warnings
    return tuple(text for text in result.warnings if "conditional writes" not in text)


def admin_blueprint(tmp_path):
    write_files(tmp_path / "admin" / "static", {"b.js": "b"})
    return Blueprint("admin", "admin", static_folder="static", root_path=str(tmp_path / "admin"))


# -- a missing bucket


def test_a_missing_bucket_is_created(any_server, new_bucket, make_app):
    bucket = new_bucket(any_server)

    result = create_all(shop(make_app, bucket))

    assert bucket.keys() == ["static/css/a.css"]
    assert result.uploaded == ("static/css/a.css",)


def test_a_missing_bucket_that_was_created_can_be_read_and_nothing_is_left_to_do(
    any_server, new_bucket, make_app
):
    bucket = new_bucket(any_server)

    result = create_all(shop(make_app, bucket))

    assert anonymously(bucket, "static/css/a.css").body == b"a{}"
    assert of_access(bucket, result) == ()


@pytest.mark.parametrize(
    ("location", "constraint"),
    [
        ("eu-central-1", "eu-central-1"),
        ("EU", "eu-west-1"),
        ("USWest", "us-west-1"),
        ("APSoutheast", "ap-southeast-1"),
        ("us-east-1", None),
        ("DEFAULT", None),
        ("", None),
    ],
)
def test_a_missing_bucket_is_created_in_the_region_asked_for(
    ministack, new_bucket, make_app, location, constraint
):
    bucket = new_bucket(ministack)
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_REGION": None})

    create_all(app, location=location)

    answer = bucket.client.get_bucket_location(Bucket=bucket.name)
    assert answer["LocationConstraint"] == constraint
    assert bucket.keys() == ["static/a.css"]


@pytest.mark.parametrize(
    ("region", "constraint"), [("eu-central-1", "eu-central-1"), ("EU", "eu-west-1")]
)
def test_a_missing_bucket_is_created_in_the_region_of_the_settings(
    ministack, new_bucket, make_app, region, constraint
):
    bucket = new_bucket(ministack)
    app = make_app({"a.css": "a"}, {**bucket.config, "FLASKS3_REGION": region})

    create_all(app)

    answer = bucket.client.get_bucket_location(Bucket=bucket.name)
    assert answer["LocationConstraint"] == constraint


# -- ACLs enabled


def test_where_acls_are_enabled_objects_get_public_read_and_anybody_can_read_them(
    acl_bucket, make_app
):
    result = create_all(shop(make_app, acl_bucket))

    assert grants(acl_bucket, "static/css/a.css") == [(ALL_USERS, "READ")]
    assert anonymously(acl_bucket, "static/css/a.css").body == b"a{}"
    assert statements(acl_bucket) is None
    assert of_access(acl_bucket, result) == ()


def test_where_acls_are_enabled_our_records_stay_private(acl_bucket, make_app):
    create_all(shop(make_app, acl_bucket))

    keys = records(acl_bucket)
    assert len(keys) == 2
    assert [grants(acl_bucket, key) for key in keys] == [[], []]


@pytest.mark.ceph
def test_where_acls_are_enabled_a_bucket_that_we_created_gets_no_policy(ceph, new_bucket, make_app):
    bucket = new_bucket(ceph)

    create_all(shop(make_app, bucket))

    assert grants(bucket, "static/css/a.css") == [(ALL_USERS, "READ")]
    assert statements(bucket) is None


# -- the bucket's own ACL


def test_an_existing_bucket_s_own_acl_is_never_touched(any_bucket, make_app):
    before = bucket_acl(any_bucket)

    create_all(shop(make_app, any_bucket))

    assert bucket_acl(any_bucket) == before


def test_other_grants_of_an_existing_bucket_s_acl_stay(acl_bucket, make_app):
    acl_bucket.client.put_bucket_acl(Bucket=acl_bucket.name, ACL="authenticated-read")
    before = bucket_acl(acl_bucket)
    assert len(before[1]) == 2

    create_all(shop(make_app, acl_bucket))

    assert bucket_acl(acl_bucket) == before


def test_the_acl_of_a_bucket_that_we_created_names_its_owner_only(any_server, new_bucket, make_app):
    bucket = new_bucket(any_server)

    create_all(shop(make_app, bucket))

    owner, granted = bucket_acl(bucket)
    assert [(grant["Grantee"]["ID"], grant["Permission"]) for grant in granted] == [
        (owner["ID"], "FULL_CONTROL")
    ]


# -- ACLs disabled, bucket created by us


def test_where_acls_are_disabled_a_bucket_that_we_created_gets_a_policy_on_the_static_routes_only(
    server, new_bucket, make_app, tmp_path
):
    bucket = new_bucket(server)
    app = shop(make_app, bucket)
    app.config["FLASKS3_PREFIX"] = "v1"
    app.register_blueprint(admin_blueprint(tmp_path), url_prefix="/admin")

    create_all(app)

    assert statements(bucket) == [
        {
            "Sid": "FlaskS3PublicRead",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": [
                f"arn:aws:s3:::{bucket.name}/v1/admin/static/*",
                f"arn:aws:s3:::{bucket.name}/v1/static/*",
            ],
        }
    ]
    bucket.client.put_object(Bucket=bucket.name, Key="v1/secret.txt", Body=b"")
    bucket.client.put_object(Bucket=bucket.name, Key="static/other.txt", Body=b"")
    assert anonymous_statuses(
        bucket,
        "v1/static/css/a.css",
        "v1/admin/static/b.js",
        "v1/secret.txt",
        "static/other.txt",
    ) == {
        "v1/static/css/a.css": 200,
        "v1/admin/static/b.js": 200,
        "v1/secret.txt": 403,
        "static/other.txt": 403,
    }


def test_where_acls_are_disabled_block_public_access_is_opened_just_so_far(
    ministack, new_bucket, make_app
):
    bucket = new_bucket(ministack)

    create_all(shop(make_app, bucket))

    answer = bucket.client.get_public_access_block(Bucket=bucket.name)
    assert answer["PublicAccessBlockConfiguration"] == OPENED_JUST_SO_FAR


def test_a_bucket_that_we_created_gets_a_cors_rule_for_get_and_head(
    any_server, new_bucket, make_app
):
    bucket = new_bucket(any_server)

    create_all(shop(make_app, bucket))

    (rule,) = bucket.client.get_bucket_cors(Bucket=bucket.name)["CORSRules"]
    assert sorted(rule["AllowedMethods"]) == ["GET", "HEAD"]
    assert rule["AllowedOrigins"] == ["*"]


@pytest.mark.parametrize("prefix", ["", "v1"])
def test_a_static_route_at_the_root_gets_a_policy_on_everything_but_our_records(
    server, new_bucket, make_app, prefix
):
    bucket = new_bucket(server)
    app = shop(make_app, bucket, static_url_path="")
    app.config["FLASKS3_PREFIX"] = prefix

    create_all(app)

    on = (
        {"Resource": [f"arn:aws:s3:::{bucket.name}/v1/*"]}
        if prefix
        else {"NotResource": f"arn:aws:s3:::{bucket.name}/.flask-s3/*"}
    )
    assert statements(bucket) == [
        {
            "Sid": "FlaskS3PublicRead",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            **on,
        }
    ]
    (key,) = bucket.keys()
    assert anonymously(bucket, key).body == b"a{}"


# -- our records and the listing, for anybody


@pytest.mark.parametrize(("name", "how"), OPENED)
@pytest.mark.parametrize("static_url_path", ["/static", ""], ids=["static", "root"])
@pytest.mark.parametrize("prefix", ["", "v1"], ids=["no prefix", "prefix"])
def test_anybody_can_read_the_files_but_neither_our_records_nor_the_listing(
    request, new_bucket, make_app, prefix, static_url_path, name, how
):
    bucket = new_bucket(request.getfixturevalue(name))
    if how == "with ACLs":
        with_acls(bucket)
    elif how == "opened by the command":
        bucket.create()
    app = shop(make_app, bucket, static_url_path=static_url_path)
    app.config["FLASKS3_PREFIX"] = prefix

    create_all(app)
    if how == "opened by the command":
        set_up(app, bucket)

    (file,) = bucket.keys()
    ours = records(bucket)
    assert len(ours) == (3 if how == "opened by the command" else 2)
    assert anonymous_statuses(bucket, file, *ours, "", ".flask-s3/") == {
        file: 200,
        **dict.fromkeys(ours, 403),
        "": 403,
        ".flask-s3/": 404 if anonymously(bucket, ".flask-s3/").status == 404 else 403,
    }


# -- an existing bucket


def test_nothing_about_an_existing_bucket_s_access_is_changed(any_bucket, make_app):
    before = everything_about_access(any_bucket)

    create_all(shop(make_app, any_bucket))

    assert everything_about_access(any_bucket) == before


def test_an_existing_bucket_s_policy_is_never_changed(bucket, make_app):
    bucket.open_to_anybody("somewhere/else/*")
    before = everything_about_access(bucket)
    assert before["policy"] is not None

    create_all(shop(make_app, bucket))

    assert everything_about_access(bucket) == before


def test_the_result_says_what_an_existing_bucket_lacks_and_why(mini_bucket, make_app):
    result = create_all(shop(make_app, mini_bucket))

    url = f"{mini_bucket.server.endpoint}/{mini_bucket.name}/static/css/a.css"
    (text,) = result.warnings
    assert text == (
        f"Browsers cannot read what was published: {url} answers HTTP 403, since ACLs are disabled "
        "on the bucket (AWS's default), and a deploy never changes an existing bucket: flask s3 "
        "setup shows what lets anybody read the static files, and does it."
    )


@pytest.mark.parametrize("static_url_path", ["/static", ""], ids=["static", "root"])
def test_the_command_that_the_result_names_mends_an_existing_bucket(
    bucket, make_app, static_url_path
):
    app = shop(make_app, bucket, static_url_path=static_url_path)
    create_all(app)
    (key,) = bucket.keys()
    before = anonymously(bucket, key).status

    set_up(app, bucket)

    assert (before, anonymously(bucket, key).status) == (403, 200)
    assert create_all(app).warnings == ()


# -- put_bucket_acl=False


def test_with_put_bucket_acl_off_no_object_gets_an_acl(acl_bucket, make_app):
    result = create_all(shop(make_app, acl_bucket), put_bucket_acl=False)

    assert grants(acl_bucket, "static/css/a.css") == []
    assert anonymously(acl_bucket, "static/css/a.css").status == 403
    assert of_access(acl_bucket, result) == ()


def test_with_put_bucket_acl_off_a_bucket_that_we_created_gets_no_policy_and_stays_closed(
    any_server, new_bucket, make_app
):
    bucket = new_bucket(any_server)
    untouched = new_bucket(any_server).create()

    result = create_all(shop(make_app, bucket), put_bucket_acl=False)

    assert everything_about_access(bucket) == everything_about_access(untouched)
    assert anonymously(bucket, "static/css/a.css").status == 403
    assert of_access(bucket, result) == ()


# -- refusals


def test_acls_on_but_blocked_publishes_once_without_and_says_that_nobody_can_read(
    ministack, new_bucket, make_app
):
    bucket = with_acls(new_bucket(ministack))
    bucket.client.put_public_access_block(
        Bucket=bucket.name, PublicAccessBlockConfiguration=BLOCKED
    )
    with Proxy(ministack.endpoint) as proxy:
        config = {**bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        app = make_app({"a.css": "a", "b.css": "b", "c.css": "c"}, config)
        result = create_all(app)
        acls = sorted(seen.headers.get("x-amz-acl", "") for seen in proxy.seen("PUT", "/static/"))

    # The first tells; the others are sent without.
    assert acls == ["", "", "", "public-read"]
    assert result.uploaded == ("static/a.css", "static/b.css", "static/c.css")
    url = f"{proxy.endpoint}/{bucket.name}/static/a.css"
    (text,) = result.warnings
    assert text.partition(", and a deploy ")[0] == (
        f"Browsers cannot read what was published: {url} answers HTTP 403, since public ACLs are "
        "blocked on the bucket, or s3:PutObjectAcl is not granted"
    )


def test_where_acls_are_disabled_one_request_finds_out(mini_bucket, make_app):
    with Proxy(mini_bucket.server.endpoint) as proxy:
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        create_all(make_app({"a.css": "a", "b.css": "b", "c.css": "c"}, config))
        acls = sorted(seen.headers.get("x-amz-acl", "") for seen in proxy.seen("PUT", "/static/"))

    assert acls == ["", "", "", "public-read"]


def test_an_account_s_block_is_reported_and_never_changed(
    ministack, new_bucket, make_app, monkeypatch
):
    monkeypatch.setattr(carry_out, "PATIENCE", (0.0,))
    bucket = new_bucket(ministack)
    with Proxy(ministack.endpoint) as proxy:
        proxy.rule("GET", "/static/", Fault(403, "AccessDenied"))
        # What AWS answers while the account's own block is on.
        blocked = Fault(
            403,
            "AccessDenied",
            "because public policies are blocked by the BlockPublicPolicy block public access "
            "setting.",
        )
        proxy.rule("PUT", rf"^/{bucket.name}/?$", blocked, query="^policy$")
        app = shop(make_app, bucket)
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        result = create_all(app)
        asked = [seen.query for seen in proxy.seen("PUT", rf"^/{bucket.name}/?$")]
        elsewhere = [one.path for one in proxy.seen() if not one.path.startswith(f"/{bucket.name}")]

    assert asked == ["", "publicAccessBlock", "policy", "policy", "cors"]
    assert elsewhere == []
    assert result.uploaded == ("static/css/a.css",)
    assert result.warnings[0].startswith(
        f"Bucket {bucket.name!r} was created, but its bucket policy could not be set: The store "
        f"refused PutBucketPolicy of bucket {bucket.name!r} (AccessDenied): "
    )


def test_default_encryption_with_kms_is_named_as_what_keeps_browsers_from_reading(
    mini_bucket, make_app
):
    mini_bucket.open_to_anybody("static/*")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    mini_bucket.client.put_bucket_encryption(
        Bucket=mini_bucket.name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    with Proxy(mini_bucket.server.endpoint) as proxy:
        # What AWS answers to anybody; no server here does.
        anonymous = Fault(
            400,
            "InvalidArgument",
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS "
            "Signature Version 4.",
        )
        proxy.rule("GET", "/static/", anonymous)
        app = shop(make_app, mini_bucket)
        app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
        (text,) = create_all(app).warnings

        url = f"{proxy.endpoint}/{mini_bucket.name}/static/css/a.css"

    assert text == (
        f"Browsers cannot read what was published: {url} answers HTTP 400 (KMS), since the bucket "
        "encrypts with SSE-KMS, which makes anonymous reads impossible: run flask s3 setup "
        "--sse-s3, then publish everything again (flask s3 deploy --force)."
    )
