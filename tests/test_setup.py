"""`flask s3 setup`: one command makes a bucket right, and one takes exactly that away again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import servers
from commands import Shop, on_a_terminal, sentences
from conftest import Bucket
from looking import anonymous_statuses, anonymously, answer_of
from proxy import Answer, Call, Gate, LoseAnswer, Proxy
from steps import Site

from flask_s3 import create_all
from flask_s3.access import carry_out
from flask_s3.access.changes import Wanted
from flask_s3.access.facts import CLOSED, OPEN, Facts
from flask_s3.access.kinds import Access
from flask_s3.access.note import Note
from flask_s3.access.setup import planned

FILES = {"css/a.css": "a{}", "b.js": "b"}
NOTE = ".flask-s3/setup.json"
CEPH = pytest.param("ceph", marks=pytest.mark.ceph)
ALL_BLOCKED = dict(CLOSED)
POLICIES_ALLOWED = {**ALL_BLOCKED, "BlockPublicPolicy": False, "RestrictPublicBuckets": False}
OUR_RULE = {
    "ID": "flask-s3",
    "AllowedMethods": ["GET", "HEAD"],
    "AllowedOrigins": ["*"],
    "AllowedHeaders": ["*"],
    "MaxAgeSeconds": 86400,
}
OTHER_RULE = {
    "ID": "uploads",
    "AllowedMethods": ["PUT"],
    "AllowedOrigins": ["https://upload.example"],
    "ExposeHeaders": ["ETag"],
    "MaxAgeSeconds": 60,
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS takes a while to spread is tried as often, without the while."""
    monkeypatch.setattr(carry_out, "PATIENCE", (0.0,) * len(carry_out.PATIENCE))


@pytest.fixture(params=["ministack", "seaweedfs", CEPH])
def any_server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def any_bucket(any_server, new_bucket):
    return new_bucket(any_server).create()


def site(make_app, bucket: Bucket, **config: Any) -> Site:
    name = config.pop("name", "shop")
    options = config.pop("options", {})
    return Site(make_app(FILES, {**bucket.config, **config}, name=name, **options), bucket)


def through(mine: Site, proxy: Proxy) -> Site:
    mine.app.config["FLASKS3_ENDPOINT_URL"] = proxy.endpoint
    return mine


def directly(mine: Site) -> Site:
    mine.app.config.update(mine.bucket.config)
    return mine


def everything(bucket: Bucket) -> dict[str, Any]:
    """All that decides who may read, as the store tells it, and our note."""
    client, name = bucket.client, {"Bucket": bucket.name}
    return {
        "ownership": answer_of(lambda: client.get_bucket_ownership_controls(**name)),
        "block": answer_of(lambda: client.get_public_access_block(**name)),
        "policy": answer_of(lambda: client.get_bucket_policy(**name)),
        "cors": answer_of(lambda: client.get_bucket_cors(**name)),
        "encryption": answer_of(lambda: client.get_bucket_encryption(**name)),
        "note": bucket.get(NOTE)["Body"] if NOTE in bucket.keys(metadata=True) else None,
    }


def block(bucket: Bucket) -> dict[str, bool]:
    answer = bucket.client.get_public_access_block(Bucket=bucket.name)
    return answer["PublicAccessBlockConfiguration"]


def statements(bucket: Bucket) -> dict[str, Any]:
    """The statements of the policy, by name."""
    answer = answer_of(lambda: bucket.client.get_bucket_policy(Bucket=bucket.name))
    if answer == "NoSuchBucketPolicy":
        return {}
    return {one["Sid"]: one for one in json.loads(answer["Policy"])["Statement"]}


def readable(bucket: Bucket) -> list[str]:
    """What anybody may read under our public statement."""
    statement = statements(bucket).get("FlaskS3PublicRead", {"Resource": []})
    found = statement["Resource"]
    resources = [found] if isinstance(found, str) else found
    return [resource.removeprefix(f"arn:aws:s3:::{bucket.name}/") for resource in resources]


def origins(bucket: Bucket) -> list[str] | None:
    """The origins of our CORS rule."""
    answer = answer_of(lambda: bucket.client.get_bucket_cors(Bucket=bucket.name))
    rules = [] if isinstance(answer, str) else answer["CORSRules"]
    return next((r["AllowedOrigins"] for r in rules if r.get("ID") == "flask-s3"), None)


def foreign_policy(bucket: Bucket) -> str:
    """Somebody else's policy, in a form that nobody else would write it in."""
    statement = (
        f'{{"Sid": "Theirs", "Effect":"Deny", "Principal":"*", "Action":["s3:DeleteObject"],'
        f'  "Resource":["arn:aws:s3:::{bucket.name}/archive/*"]}}'
    )
    return f'{{ "Version":"2012-10-17",\n  "Id":"of the archive", "Statement":[{statement} ] }}'


def of_somebody_else(bucket: Bucket) -> Bucket:
    """A bucket that has a policy and CORS rules already."""
    name = {"Bucket": bucket.name}
    if bucket.server.name != "seaweedfs":  # which has no Block Public Access
        config = dict(OPEN)
        bucket.client.put_public_access_block(**name, PublicAccessBlockConfiguration=config)
    bucket.client.put_bucket_policy(**name, Policy=foreign_policy(bucket))
    bucket.client.put_bucket_cors(**name, CORSConfiguration={"CORSRules": [OTHER_RULE]})
    return bucket


# -- what it is for


@pytest.mark.parametrize("prefix", ["", "v1"], ids=["no prefix", "prefix"])
@pytest.mark.parametrize("static_url_path", ["/static", ""], ids=["static", "root"])
def test_browsers_read_the_static_files_and_neither_the_listing_nor_our_records(
    any_server, new_bucket, make_app, static_url_path, prefix
):
    bucket = new_bucket(any_server)
    options = {"static_url_path": static_url_path}
    mine = site(make_app, bucket, options=options, FLASKS3_PREFIX=prefix)

    mine.run("setup", "--yes")
    mine.run("deploy")

    (script,) = bucket.keys(f"{prefix}/{static_url_path}/b.js".replace("//", "/").lstrip("/"))
    bucket.client.put_object(Bucket=bucket.name, Key=".flask-s3/x", Body=b"")
    assert anonymous_statuses(bucket, script, "", "?list-type=2", NOTE, ".flask-s3/x") == {
        script: 200,
        "": 403,
        "?list-type=2": 403 if anonymously(bucket, "?list-type=2").status == 403 else 404,
        NOTE: 403,
        ".flask-s3/x": 403,
    }


def test_browsers_read_nothing_beside_the_static_files(any_server, new_bucket, make_app):
    bucket = new_bucket(any_server)
    site(make_app, bucket, FLASKS3_PREFIX="v1").run("setup", "--yes")

    for key in ("v1/static/a", "v1/a", "static/a", "a"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=b"")

    assert anonymous_statuses(bucket, "v1/static/a", "v1/a", "static/a", "a") == {
        "v1/static/a": 200,
        "v1/a": 403,
        "static/a": 403,
        "a": 403,
    }


def test_an_existing_bucket_with_aws_s_defaults_is_opened_just_so_far(mini_bucket, make_app):
    site(make_app, mini_bucket).run("setup", "--yes")

    assert block(mini_bucket) == POLICIES_ALLOWED
    assert everything(mini_bucket)["ownership"]["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    assert mini_bucket.client.get_bucket_cors(Bucket=mini_bucket.name)["CORSRules"] == [OUR_RULE]


def test_a_missing_bucket_is_created_in_the_region_of_the_settings(ministack, new_bucket, make_app):
    bucket = new_bucket(ministack)

    site(make_app, bucket, FLASKS3_REGION="eu-central-1").run("setup", "--yes")

    answer = bucket.client.get_bucket_location(Bucket=bucket.name)
    assert answer["LocationConstraint"] == "eu-central-1"


def test_what_it_will_do_is_shown_with_the_reason_of_each(ministack, new_bucket, make_app):
    shown = site(make_app, new_bucket(ministack)).run("setup", "--yes").stdout

    assert sentences(shown) == (
        "Bucket BUCKET\n"
        "  bucket               is created in us-east-1: there is none\n"
        "  Block Public Access  BlockPublicPolicy and RestrictPublicBuckets off: no policy opens a "
        "bucket while they are on\n"
        "  bucket policy        anybody may read static/*: there is no policy\n"
        "  CORS                 pages of any origin may read: no rule allows it\n"
        "Done  bucket\n"
        "Done  Block Public Access\n"
        "Done  bucket policy\n"
        "Done  CORS\n"
        "Bucket BUCKET is set up: 4 changes.\n"
    )


# -- nothing that it should not do


def test_running_it_again_changes_nothing(any_server, new_bucket, make_app):
    bucket = new_bucket(any_server)
    mine = site(make_app, bucket)
    mine.run("setup", "--yes")
    before = everything(bucket)

    with Proxy(bucket.server.endpoint) as proxy:
        again = through(mine, proxy).run("setup", "--yes")
        written = proxy.seen("PUT|POST|DELETE")

    assert sentences(again.stdout) == "Nothing to change: bucket BUCKET is set up.\n"
    assert written == []
    assert everything(bucket) == before


def test_a_bucket_that_a_deploy_created_needs_nothing_more(server, new_bucket, make_app):
    bucket = new_bucket(server)
    mine = site(make_app, bucket)
    create_all(mine.app)
    before = everything(bucket)

    assert "Nothing to change" in mine.run("setup", "--yes").stdout

    assert everything(bucket) == before


@pytest.mark.parametrize("exists", [True, False], ids=["existing bucket", "missing bucket"])
@pytest.mark.parametrize("options", [(), ("--access", "acl"), ("--undo",)], ids=str)
def test_a_dry_run_changes_nothing(ministack, new_bucket, make_app, exists, options):
    bucket = new_bucket(ministack)
    mine = site(make_app, bucket)
    if exists:
        bucket.create()
        if options == ("--undo",):
            mine.run("setup", "--yes")
    with Proxy(bucket.server.endpoint) as proxy:
        shown = through(mine, proxy).run("setup", "--dry-run", *options).stdout
        written = proxy.seen("PUT|POST|DELETE")

    assert written == []
    assert ("Nothing to undo" if options == ("--undo",) and not exists else "CORS") in shown


def test_without_a_terminal_nothing_is_changed_unless_yes_is_said(mini_bucket, make_app):
    before = everything(mini_bucket)

    ended = site(make_app, mini_bucket).run("setup", code=2)

    assert "There is no terminal to ask on: pass --yes. Nothing was changed." in ended.stderr
    assert everything(mini_bucket) == before


@pytest.mark.parametrize(("answer", "code"), [("n", 2), ("y", 0)])
def test_on_a_terminal_it_asks_first(mini_bucket, tmp_path, answer, code):
    before = everything(mini_bucket)
    shop = Shop(tmp_path, FILES, mini_bucket.config)

    ended, shown = on_a_terminal(shop, "setup", types=f"{answer}\n")

    assert "Change this? [y/N]" in shown
    assert (ended, everything(mini_bucket) == before) == (code, answer == "n")


def test_what_changed_while_it_waited_for_an_answer_is_not_overwritten(mini_bucket, tmp_path):
    """Their policy came between the question and the answer."""
    theirs = foreign_policy(mini_bucket)
    looked = Call(
        after=lambda: mini_bucket.client.put_bucket_policy(Bucket=mini_bucket.name, Policy=theirs)
    )
    with Proxy(mini_bucket.server.endpoint) as proxy:
        # The last thing that it reads before it asks is the note.
        proxy.rule("GET", f"{NOTE}$", looked, turns={1})
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        code, shown = on_a_terminal(Shop(tmp_path, FILES, config), "setup", types="y\n")

    assert (code, "changed while this waited for an answer" in shown) == (1, True)
    assert everything(mini_bucket)["policy"] == {"Policy": theirs}


# -- what other people have in the bucket


def test_a_foreign_policy_and_cors_rules_survive_to_the_byte(any_bucket, make_app):
    before = everything(of_somebody_else(any_bucket))
    theirs = statements(any_bucket)["Theirs"]
    mine = site(make_app, any_bucket)

    mine.run("setup", "--yes")
    during = any_bucket.client.get_bucket_cors(Bucket=any_bucket.name)["CORSRules"]
    with_ours = statements(any_bucket)
    mine.run("setup", "--undo", "--yes")

    assert with_ours.pop("FlaskS3PublicRead")
    assert with_ours == {"Theirs": theirs}
    assert [rule["ID"] for rule in during] == ["uploads", "flask-s3"]
    assert during[0] == before["cors"]["CORSRules"][0]
    assert everything(any_bucket) == before


def test_unknown_keys_of_a_policy_stay(mini_bucket, make_app):
    of_somebody_else(mini_bucket)

    site(make_app, mini_bucket).run("setup", "--yes")

    answer = mini_bucket.client.get_bucket_policy(Bucket=mini_bucket.name)
    assert json.loads(answer["Policy"])["Id"] == "of the archive"


def with_raw_policy(bucket: Bucket, text: str) -> Bucket:
    """The store that has AWS's defaults takes whatever it is given."""
    bucket.client.put_public_access_block(
        Bucket=bucket.name, PublicAccessBlockConfiguration=dict(OPEN)
    )
    bucket.client.put_bucket_policy(Bucket=bucket.name, Policy=text)
    return bucket


def changed_by_hand(bucket: Bucket) -> str:
    statement = {
        "Sid": "FlaskS3PublicRead",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket.name}/static/*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def nearly_full(bucket: Bucket) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::{bucket.name}/{'long/' * 4050}*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))


POLICIES: dict[str, tuple[Callable[[Bucket], str], str]] = {
    "a list": (lambda _: '["not", "a", "policy"]', "is no JSON object, so ours cannot be"),
    "text for statements": (
        lambda _: '{"Version": "2012-10-17", "Statement": "none"}',
        "has no list of statements",
    ),
    "half a character": (
        lambda _: r'{"Version": "2012-10-17", "Id": "\ud800", "Statement": []}',
        "is no JSON object, so ours cannot be",
    ),
    "our statement with a condition": (changed_by_hand, "somebody changed the statement"),
    "too large with ours": (nearly_full, "and S3 takes 20,480: shorten or merge other statements"),
}


@pytest.mark.parametrize("which", POLICIES)
def test_a_policy_that_cannot_take_ours_is_kept_and_ours_refused_with_the_reason(
    mini_bucket, make_app, which
):
    text, reason = POLICIES[which]
    with_raw_policy(mini_bucket, text(mini_bucket))
    before = everything(mini_bucket)

    ended = site(make_app, mini_bucket).run("setup", "--yes", code=1)

    assert reason.casefold() in ended.stderr.casefold()
    assert everything(mini_bucket) == before


def test_a_bucket_of_somebody_else_is_named_as_such(server, new_bucket, make_app):
    bucket = new_bucket(server).create()
    theirs = server.other_user()
    keys = {
        "AWS_ACCESS_KEY_ID": theirs.access_key,
        "AWS_SECRET_ACCESS_KEY": theirs.secret_key,
    }
    before = everything(bucket)

    ended = site(make_app, bucket, **keys).run("setup", "--yes", code=1)

    assert ended.stderr.startswith("Error: The store refused")
    assert "the bucket belongs to somebody else" in ended.stderr
    assert everything(bucket) == before


@pytest.mark.parametrize("command", [("setup", "--yes"), ("deploy", "--yes")], ids=" ".join)
@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("BucketAlreadyExists", "somebody else has a bucket of that name: choose another"),
        ("AccessDenied", "the credentials lack s3:CreateBucket, or the bucket is somebody else's"),
        ("InvalidBucketName", "it has 3 to 63 lower-case letters, digits and '-'"),
    ],
)
def test_a_bucket_that_cannot_be_created_is_told_of_in_a_sentence(
    ministack, new_bucket, make_app, command, code, told
):
    mine = site(make_app, new_bucket(ministack))
    with Proxy(ministack.endpoint) as proxy:
        proxy.rule("PUT", ".", Answer(403 if code == "AccessDenied" else 409, code))
        ended = through(mine, proxy).run(*command, code=1)

    assert f"({code}): {told}" in ended.stderr


def test_no_credential_shows_in_what_a_store_says_of_a_request(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    secret = mini_bucket.server.secret_key
    with Proxy(mini_bucket.server.endpoint) as proxy:
        said = f"header Authorization: AWS4-HMAC-SHA256 Signature=abcdef; {secret}"
        proxy.rule("PUT", ".", Answer(400, "InvalidRequest", said), query="^policy$")
        ended = through(mine, proxy).run("setup", "--yes", code=1)

    assert "(InvalidRequest)" in ended.stderr
    shown = ended.stdout + ended.stderr
    assert (secret in shown, "abcdef" in shown) == (False, False)


def test_a_hundred_cors_rules_leave_no_room_for_ours(mini_bucket, make_app):
    rules = [{**OTHER_RULE, "ID": f"rule {number}"} for number in range(100)]
    mini_bucket.client.put_bucket_cors(
        Bucket=mini_bucket.name, CORSConfiguration={"CORSRules": rules}
    )
    before = everything(mini_bucket)

    ended = site(make_app, mini_bucket).run("setup", "--yes", code=1)

    assert "has 100 CORS rules, and S3 takes 100" in ended.stderr
    assert everything(mini_bucket) == before


def test_a_prefix_that_a_policy_reads_as_a_pattern_is_refused(mini_bucket, make_app):
    before = everything(mini_bucket)

    ended = site(make_app, mini_bucket, FLASKS3_PREFIX="a*").run("setup", "--yes", code=1)

    assert "a policy reads as a pattern" in ended.stderr
    assert everything(mini_bucket) == before


@pytest.mark.parametrize(
    ("prefix", "static_url_path"), [(".flask-s3", ""), (".flask-s3", "/static"), ("", "/.flask-s3")]
)
def test_a_prefix_that_leads_to_our_records_is_refused(
    mini_bucket, make_app, prefix, static_url_path
):
    before = everything(mini_bucket)
    options = {"static_url_path": static_url_path}
    mine = site(make_app, mini_bucket, options=options, FLASKS3_PREFIX=prefix)

    told = mine.run("setup", "--yes", code=1).stderr

    assert "leads to our own records, which nobody else may read" in told
    assert everything(mini_bucket) == before


def test_nothing_is_opened_for_an_app_without_static_files(mini_bucket, make_app):
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket, options={"static_folder": None})

    assert "has no static route" in mine.run("setup", "--yes", code=1).stderr
    assert everything(mini_bucket) == before


@pytest.mark.parametrize("command", [("setup", "--yes"), ("deploy", "--yes")], ids=" ".join)
def test_a_profile_that_is_not_there_is_named_although_keys_are_set(
    ministack, new_bucket, make_app, monkeypatch, command
):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which remembers its profile

    told = site(make_app, new_bucket(ministack)).run(*command, code=2).stderr

    assert "The config profile (nobody) could not be found. Correct AWS_PROFILE" in told


def test_a_bucket_in_another_region_than_the_settings_say_is_named(ministack, new_bucket, make_app):
    place = {"LocationConstraint": "eu-west-1"}
    bucket = new_bucket(ministack).create(CreateBucketConfiguration=place)
    with Proxy(ministack.endpoint) as proxy:
        moved = Answer(301, headers={"x-amz-bucket-region": "eu-west-1"})
        proxy.rule("HEAD", f"^/{bucket.name}/?$", moved)
        ended = through(site(make_app, bucket), proxy).run("setup", "--yes", code=2)

    assert "lives in eu-west-1, but FLASKS3_REGION" in ended.stderr


# -- undo


@pytest.mark.parametrize("access", ["policy", "acl", "none"])
def test_undo_takes_away_exactly_what_was_added(any_bucket, make_app, access):
    before = everything(any_bucket)
    mine = site(make_app, any_bucket)
    mine.run("setup", "--access", access, "--yes")
    assert everything(any_bucket) != before

    ended = mine.run("setup", "--undo", "--yes")

    assert everything(any_bucket) == before
    assert "itself stays, with all that is in it" in ended.stdout


def test_undo_a_second_time_says_that_nothing_is_left(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")
    mine.run("setup", "--undo", "--yes")

    assert mine.run("setup", "--undo", "--yes").stdout.startswith("Nothing to undo: bucket ")


def test_undo_of_one_app_leaves_what_another_one_needs(server, new_bucket, make_app):
    bucket = new_bucket(server).create()
    before = everything(bucket)
    one = site(make_app, bucket, name="one", FLASKS3_CORS_ORIGINS=["https://one.example"])
    two = site(
        make_app,
        bucket,
        name="two",
        FLASKS3_PREFIX="two",
        FLASKS3_CORS_ORIGINS=["https://two.example"],
    )
    one.run("setup", "--yes")
    two.run("setup", "--yes")
    both = (readable(bucket), origins(bucket))

    one.run("setup", "--undo", "--yes")
    left = (readable(bucket), origins(bucket))
    two.run("setup", "--undo", "--yes")

    assert both == (["static/*", "two/static/*"], ["https://one.example", "https://two.example"])
    assert left == (["two/static/*"], ["https://two.example"])
    assert everything(bucket) == before


def test_undo_leaves_what_an_app_needs_that_found_all_of_it_there(server, new_bucket, make_app):
    """The second app's set-up changed nothing, since the first one's grants are the same."""
    bucket = new_bucket(server).create()
    before = everything(bucket)
    one, two = (site(make_app, bucket, name=name) for name in ("one", "two"))
    one.run("setup", "--yes")
    assert "Nothing to change" in two.run("setup", "--yes").stdout

    one.run("setup", "--undo", "--yes")
    left = (readable(bucket), origins(bucket))
    two.run("setup", "--undo", "--yes")

    assert left == (["static/*"], ["*"])
    assert everything(bucket) == before


def test_undo_brings_the_narrow_grant_back_that_a_wide_one_hid(server, new_bucket, make_app):
    bucket = new_bucket(server).create()
    narrow = site(make_app, bucket, name="narrow")
    wide = site(make_app, bucket, name="wide", options={"static_url_path": ""})
    narrow.run("setup", "--yes")
    wide.run("setup", "--yes")
    assert "NotResource" in statements(bucket)["FlaskS3PublicRead"]

    wide.run("setup", "--undo", "--yes")

    assert readable(bucket) == ["static/*"]


def test_undo_of_a_bucket_that_a_deploy_created_takes_only_what_setup_added(
    server, new_bucket, make_app
):
    bucket = new_bucket(server)
    create_all(site(make_app, bucket).app)
    before = everything(bucket)
    other = site(make_app, bucket, name="other", FLASKS3_PREFIX="other")
    other.run("setup", "--yes")
    assert readable(bucket) == ["other/static/*", "static/*"]

    other.run("setup", "--undo", "--yes")

    assert (readable(bucket), origins(bucket)) == (["static/*"], ["*"])
    assert everything(bucket)["block"] == before["block"]


def test_undo_leaves_what_somebody_changed_after_setup_and_says_so(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")
    with_raw_policy(mini_bucket, changed_by_hand(mini_bucket))
    rule = {**OUR_RULE, "AllowedOrigins": ["https://theirs.example"]}
    mini_bucket.client.put_bucket_cors(
        Bucket=mini_bucket.name, CORSConfiguration={"CORSRules": [rule]}
    )
    before = everything(mini_bucket)

    told = mine.run("setup", "--undo", "--yes").stderr

    assert "Warning: FlaskS3PublicRead stays: Somebody changed the statement" in told
    assert "Warning: The Block Public Access stays, since somebody changed it" in told
    assert "Warning: Our CORS rule stays, since somebody changed it" in told
    assert everything(mini_bucket) == {**before, "note": None}


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"version": 99}', b'{"version": 1, "apps": 3}'])
def test_a_damaged_note_is_no_reason_to_change_what_nobody_could_undo(mini_bucket, make_app, body):
    mini_bucket.client.put_object(Bucket=mini_bucket.name, Key=NOTE, Body=body)
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket)

    for options in ((), ("--undo",)):
        ended = mine.run("setup", "--yes", *options, code=1)
        assert ended.stderr.startswith("Error: The note of earlier set-ups (.flask-s3/setup.json")
    assert everything(mini_bucket) == before


def test_two_who_set_up_at_once_do_not_overwrite_each_other_s_note(server, new_bucket, make_app):
    bucket = new_bucket(server).create()
    one, two = (site(make_app, bucket, name=name, FLASKS3_PREFIX=name) for name in ("one", "two"))
    with Proxy(server.endpoint) as proxy:
        meanwhile = Call(before=lambda: two.run("setup", "--yes"))
        proxy.rule("PUT", f"{NOTE}$", meanwhile, turns={1})
        ended = through(one, proxy).run("setup", "--yes", code=1)
    assert "Somebody else set up bucket" in ended.stderr
    assert readable(bucket) == ["two/static/*"]

    directly(one).run("setup", "--yes")
    two.run("setup", "--undo", "--yes")

    assert readable(bucket) == ["one/static/*"]


# -- what dies or is refused half way


WRITES = 4
"""The note, Block Public Access, the policy, CORS."""


@dataclass(frozen=True)
class Broken:
    """A set-up of which one write went wrong."""

    site: Site
    before: dict[str, Any]


@pytest.fixture(params=range(1, WRITES + 1))
def broken(request, mini_bucket, make_app) -> Broken:
    of_somebody_else(mini_bucket).client.put_public_access_block(
        Bucket=mini_bucket.name, PublicAccessBlockConfiguration=ALL_BLOCKED
    )
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        turns = range(request.param, 100)
        proxy.rule("PUT|DELETE|POST", ".", Answer(403, "AccessDenied"), turns=turns)
        ended = through(mine, proxy).run("setup", "--yes", code=1)
    assert "(AccessDenied): the credentials lack" in ended.stderr
    return Broken(directly(mine), before)


def test_what_was_refused_half_way_is_completed_by_running_it_again(broken):
    broken.site.run("setup", "--yes")

    bucket = broken.site.bucket
    assert (readable(bucket), origins(bucket)) == (["static/*"], ["*"])
    assert "Theirs" in statements(bucket)
    assert block(bucket) == POLICIES_ALLOWED
    broken.site.run("setup", "--undo", "--yes")
    assert everything(bucket) == broken.before


def test_what_was_refused_half_way_can_be_undone(broken):
    broken.site.run("setup", "--undo", "--yes")

    assert everything(broken.site.bucket) == broken.before


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_what_was_killed_half_way_can_be_undone(mini_bucket, make_app, forking, tmp_path, number):
    before = everything(mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        held = Gate()
        proxy.rule("PUT", ".", held, turns={number})
        config = {**mini_bucket.config, "FLASKS3_ENDPOINT_URL": proxy.endpoint}
        shop = Shop(tmp_path / "killed", FILES, config)
        command = forking.start(shop.root, "setup", "--yes")
        proxy.wait_for(number, "PUT")
        command.kill()
        command.end()
        proxy.open(held)
        proxy.wait_until_idle()

    site(make_app, mini_bucket).run("setup", "--undo", "--yes")

    assert everything(mini_bucket) == before


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_an_undo_that_is_refused_half_way_is_completed_by_running_it_again(
    mini_bucket, make_app, number
):
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")
    with Proxy(mini_bucket.server.endpoint) as proxy:
        turns = range(number, 100)
        proxy.rule("PUT|DELETE|POST", ".", Answer(403, "AccessDenied"), turns=turns)
        through(mine, proxy).run("setup", "--undo", "--yes", code=1)

    directly(mine).run("setup", "--undo", "--yes")

    assert everything(mini_bucket) == before


@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_answers_that_are_lost_on_their_way_change_nothing(server, new_bucket, make_app, number):
    bucket = new_bucket(server).create()
    mine = site(make_app, bucket)
    with Proxy(server.endpoint) as proxy:
        proxy.rule("PUT", ".", LoseAnswer(), turns={number})
        through(mine, proxy).run("setup", "--yes")

    assert "Nothing to change" in directly(mine).run("setup", "--yes").stdout
    assert readable(bucket) == ["static/*"]


def test_a_policy_that_is_refused_until_the_block_s_lifting_has_spread_is_tried_again(
    mini_bucket, make_app
):
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        # The note, Block Public Access, and then the policy.
        proxy.rule("PUT", ".", Answer(403, "AccessDenied"), turns={3, 4, 5})
        through(mine, proxy).run("setup", "--yes")

    assert readable(mini_bucket) == ["static/*"]


def test_a_deploy_that_creates_the_bucket_tries_again_as_well(ministack, new_bucket, make_app):
    bucket = new_bucket(ministack)
    mine = site(make_app, bucket)
    with Proxy(ministack.endpoint) as proxy:
        refused = Answer(403, "AccessDenied")
        proxy.rule("PUT", ".", refused, query="^policy$", turns={1, 2})
        told = through(mine, proxy).run("deploy", "--yes").stderr

    assert "Warning" not in told
    assert readable(bucket) == ["static/*"]


def test_a_block_of_the_organisation_is_named_and_never_changed(mini_bucket, make_app):
    """It shows by nothing but the refusal of the policy."""
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("PUT", ".", Answer(403, "AccessDenied"), turns=range(3, 100))
        told = through(mine, proxy).run("setup", "--yes", code=1).stderr
        tries = len([one for one in proxy.seen("PUT") if one.query == "policy"])

    assert "or a Block Public Access of the account or organisation forbids public" in told
    assert "never changes" in told
    assert tries == 1 + len(carry_out.PATIENCE)


@pytest.mark.parametrize("access", [Access.POLICY, Access.ACL])
def test_a_block_of_the_account_is_named_and_nothing_is_changed(access):
    facts = Facts("shop", "eu-west-1", exists=True, block=CLOSED, account_block=CLOSED)

    changes = planned(facts, Note(), Wanted("shop", access, ("static/",), ("*",)))

    (text,) = changes.refusals
    assert changes.changes == ()
    assert text.startswith("The account's own Block Public Access has ")
    assert "which set-up never changes" in text
    assert "--access cloudfront" in text


# -- ACLs


def test_with_acl_each_object_s_own_acl_lets_anybody_read_it(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--access", "acl", "--yes")
    mine.run("deploy")

    assert anonymous_statuses(mini_bucket, "static/b.js", "", NOTE) == {
        "static/b.js": 200,
        "": 403,
        NOTE: 403,
    }
    assert statements(mini_bucket) == {}
    assert block(mini_bucket) == {
        **ALL_BLOCKED,
        "BlockPublicAcls": False,
        "IgnorePublicAcls": False,
    }


def test_with_acl_what_was_published_before_is_opened_by_a_forced_deploy(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    mine.run("deploy")
    told = mine.run("setup", "--access", "acl", "--yes").stderr
    assert "flask s3 deploy --force" in told
    assert anonymously(mini_bucket, "static/b.js").status == 403

    mine.run("deploy", "--force")

    assert anonymously(mini_bucket, "static/b.js").status == 200


@pytest.mark.ceph
def test_with_acl_a_block_of_ceph_s_is_lifted_and_no_bucket_deleted(ceph, new_bucket, make_app):
    """Ceph RGW 16 takes `DELETE ?ownershipControls` for the deletion of the bucket."""
    bucket = new_bucket(ceph).create()
    # With BlockPublicAcls, Ceph RGW 16 takes no object at all.
    ignored = {**OPEN, "IgnorePublicAcls": True}
    bucket.client.put_public_access_block(
        Bucket=bucket.name, PublicAccessBlockConfiguration=ignored
    )
    before = everything(bucket)
    mine = site(make_app, bucket)
    with Proxy(ceph.endpoint) as proxy:
        through(mine, proxy).run("setup", "--access", "acl", "--yes")
        mine.run("deploy")
        status = anonymously(bucket, "static/b.js").status
        mine.run("setup", "--undo", "--yes")
        asked = {one.query for one in proxy.seen("DELETE", f"^/{bucket.name}/?$")}

    assert status == 200
    assert asked <= {"policy", "cors"}
    assert {**everything(bucket), "note": None} == before


# -- encryption


def kms(bucket: Bucket) -> Bucket:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    bucket.client.put_bucket_encryption(
        Bucket=bucket.name, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    return bucket


def test_default_encryption_with_kms_is_named_and_left_unless_asked_for(mini_bucket, make_app):
    before = everything(kms(mini_bucket))

    told = site(make_app, mini_bucket).run("setup", "--yes").stderr

    assert told == (
        "Warning: The bucket encrypts with KMS, which makes anonymous reads impossible: with "
        "--sse-s3 set-up makes SSE-S3 (AES256) its default.\n"
    )
    assert everything(mini_bucket)["encryption"] == before["encryption"]


@pytest.mark.parametrize("access", ["policy", "none"])
def test_sse_s3_is_made_the_default_when_asked_for_and_kms_comes_back_by_undo(
    mini_bucket, make_app, access
):
    before = everything(kms(mini_bucket))
    mine = site(make_app, mini_bucket)

    told = mine.run("setup", "--access", access, "--sse-s3", "--yes").stderr
    (rule,) = everything(mini_bucket)["encryption"]["ServerSideEncryptionConfiguration"]["Rules"]
    mine.run("setup", "--undo", "--yes")

    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert "publish everything again with flask s3 deploy --force" in told
    assert everything(mini_bucket) == before


# -- CORS


def test_the_cors_rule_follows_the_setting_and_other_rules_stay(server, new_bucket, make_app):
    bucket = of_somebody_else(new_bucket(server).create())
    mine = site(make_app, bucket)
    mine.run("setup", "--yes")
    mine.app.config["FLASKS3_CORS_ORIGINS"] = ["https://shop.example", "https://b.example"]

    mine.run("setup", "--yes")

    rules = bucket.client.get_bucket_cors(Bucket=bucket.name)["CORSRules"]
    assert [rule["ID"] for rule in rules] == ["uploads", "flask-s3"]
    assert rules[1]["AllowedOrigins"] == ["https://b.example", "https://shop.example"]


def test_without_origins_our_cors_rule_goes_and_undo_brings_back_what_was_there(
    server, new_bucket, make_app
):
    bucket = of_somebody_else(new_bucket(server).create())
    by_hand = {**OUR_RULE, "AllowedOrigins": ["https://by.hand"]}
    bucket.client.put_bucket_cors(
        Bucket=bucket.name, CORSConfiguration={"CORSRules": [OTHER_RULE, by_hand]}
    )
    before = everything(bucket)
    mine = site(make_app, bucket)
    mine.run("setup", "--yes")
    mine.app.config["FLASKS3_CORS_ORIGINS"] = []

    mine.run("setup", "--yes")
    rules = bucket.client.get_bucket_cors(Bucket=bucket.name)["CORSRules"]
    again = mine.run("setup", "--yes").stdout
    mine.run("setup", "--undo", "--yes")

    assert [rule["ID"] for rule in rules] == ["uploads"]
    assert "Nothing to change" in again
    assert everything(bucket) == before


def test_without_origins_no_cors_rule_is_written(mini_bucket, make_app):
    site(make_app, mini_bucket, FLASKS3_CORS_ORIGINS=[]).run("setup", "--yes")

    assert everything(mini_bucket)["cors"] == "NoSuchCORSConfiguration"


def test_the_cors_rule_that_stood_in_ours_place_comes_back(mini_bucket, make_app):
    rule = {**OUR_RULE, "AllowedOrigins": ["https://by.hand"]}
    mini_bucket.client.put_bucket_cors(
        Bucket=mini_bucket.name, CORSConfiguration={"CORSRules": [rule]}
    )
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket)

    mine.run("setup", "--yes")
    assert origins(mini_bucket) == ["*"]
    mine.run("setup", "--undo", "--yes")

    assert everything(mini_bucket) == before


# -- stores that know less


@pytest.mark.parametrize(
    ("query", "code", "told"),
    [
        ("policy", 1, "This store knows no bucket policies"),
        ("cors", 0, "This store knows no CORS rules"),
        ("ownershipControls", 0, ""),
        ("publicAccessBlock", 0, ""),
        ("encryption", 0, ""),
    ],
)
def test_a_store_that_knows_less_is_set_up_as_far_as_it_goes(
    seaweedfs, new_bucket, make_app, query, code, told
):
    bucket = new_bucket(seaweedfs).create()
    mine = site(make_app, bucket)
    with Proxy(seaweedfs.endpoint) as proxy:
        proxy.rule(".*", ".", Answer(501, "NotImplemented"), query=f"^{query}$")
        ended = through(mine, proxy).run("setup", "--yes", code=code)
        touched = [one for one in proxy.seen("PUT|DELETE") if one.query == query]

    assert told in ended.stderr
    assert touched == []


@pytest.mark.parametrize(
    ("query", "grant"),
    [
        ("policy", "s3:GetBucketPolicy"),
        ("cors", "s3:GetBucketCORS"),
        ("publicAccessBlock", "s3:GetBucketPublicAccessBlock"),
    ],
)
def test_what_may_not_be_read_is_not_overwritten_and_the_grant_named(
    mini_bucket, make_app, query, grant
):
    before = everything(of_somebody_else(mini_bucket))
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("GET", ".", Answer(403, "AccessDenied"), query=f"^{query}$")
        told = through(mine, proxy).run("setup", "--yes", code=1).stderr

    assert f"grant {grant} on it" in told
    assert everything(mini_bucket) == before


def test_what_cannot_be_read_just_now_is_no_lack_of_a_grant(mini_bucket, make_app):
    before = everything(mini_bucket)
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("GET", ".", Answer(409, "OperationAborted"), query="^policy$")
        told = through(mine, proxy).run("setup", "--yes", code=1).stderr

    assert "cannot be read (OperationAborted): " in told
    assert "run it again" in told
    assert "grant" not in told
    assert everything(mini_bucket) == before


@pytest.mark.parametrize(
    ("query", "grant"), [("policy", "s3:GetBucketPolicy"), ("cors", "s3:GetBucketCORS")]
)
def test_undo_forgets_nothing_that_it_may_not_look_at(mini_bucket, make_app, query, grant):
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")
    before = everything(mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("GET", ".", Answer(403, "AccessDenied"), query=f"^{query}$")
        told = through(mine, proxy).run("setup", "--undo", "--yes", code=1).stderr

    assert f"grant {grant} on it" in told
    assert everything(mini_bucket) == before


# -- CloudFront


@pytest.fixture
def distribution(mini_bucket) -> Callable[..., str]:
    """Makes a distribution in front of the bucket; returns its id."""
    cloudfront = servers._client("cloudfront", **mini_bucket.server._arguments())

    def make(control: str | None = None, domain: str | None = None) -> str:
        if control is None:
            made = cloudfront.create_origin_access_control(
                OriginAccessControlConfig={
                    "Name": mini_bucket.name,
                    "SigningProtocol": "sigv4",
                    "SigningBehavior": "always",
                    "OriginAccessControlOriginType": "s3",
                }
            )
            control = made["OriginAccessControl"]["Id"]
        origin = {
            "Id": "bucket",
            "DomainName": domain or f"{mini_bucket.name}.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": control,
        }
        made = cloudfront.create_distribution(
            DistributionConfig={
                "CallerReference": f"{mini_bucket.name} {control} {domain}",
                "Comment": "",
                "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [origin]},
                "DefaultCacheBehavior": {
                    "TargetOriginId": "bucket",
                    "ViewerProtocolPolicy": "redirect-to-https",
                    "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6",
                    "Compress": True,
                },
            }
        )
        return made["Distribution"]["Id"]

    return make


def test_behind_cloudfront_only_the_distribution_may_read(mini_bucket, make_app, distribution):
    name = distribution()
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=name)

    ended = mine.run("setup", "--yes")
    mine.run("deploy")

    assert statements(mini_bucket) == {
        f"FlaskS3CloudFrontRead{name}": {
            "Sid": f"FlaskS3CloudFrontRead{name}",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": [f"arn:aws:s3:::{mini_bucket.name}/static/*"],
            "Condition": {
                "StringEquals": {
                    "AWS:SourceArn": f"arn:aws:cloudfront::000000000000:distribution/{name}"
                }
            },
        }
    }
    assert block(mini_bucket) == ALL_BLOCKED
    assert anonymous_statuses(mini_bucket, "static/b.js", "", NOTE) == {
        "static/b.js": 403,
        "": 403,
        NOTE: 403,
    }
    assert ended.stderr == ""


def test_behind_cloudfront_a_bucket_that_was_public_is_closed_and_undo_opens_it_again(
    mini_bucket, make_app, distribution
):
    mine = site(make_app, mini_bucket)
    before = everything(mini_bucket)
    mine.run("setup", "--yes")
    mine.run("deploy")
    mine.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = name = distribution()

    mine.run("setup", "--yes")
    during = (list(statements(mini_bucket)), block(mini_bucket))
    closed = anonymously(mini_bucket, "static/b.js").status
    mine.run("setup", "--undo", "--yes")

    assert during == ([f"FlaskS3CloudFrontRead{name}"], ALL_BLOCKED)
    assert closed == 403
    assert everything(mini_bucket) == before


def test_behind_cloudfront_what_a_deploy_opened_is_closed_and_comes_back_by_undo(
    ministack, mini_bucket, new_bucket, make_app, distribution
):
    bucket = new_bucket(ministack)
    mine = site(make_app, bucket)
    mine.run("deploy", "--yes")
    before = everything(bucket)
    mine.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = distribution(
        domain=f"{bucket.name}.s3.us-east-1.amazonaws.com"
    )
    mine.run("setup", "--yes")
    assert readable(bucket) == []

    mine.run("setup", "--undo", "--yes")

    assert readable(bucket) == ["static/*"]
    assert {**everything(bucket), "policy": None} == {**before, "policy": None}


def test_behind_cloudfront_what_others_opened_stays_open_and_is_named(
    mini_bucket, make_app, distribution
):
    mini_bucket.open_to_anybody("theirs/*")
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=distribution())

    told = mine.run("setup", "--yes").stderr

    assert "The bucket's policy lets anybody in by another statement (number 1)" in told
    assert block(mini_bucket) == dict(OPEN)


@pytest.mark.parametrize(
    ("condition", "closed"),
    [
        ({"StringLike": {"aws:Referer": "https://shop.example/*"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}, False),
        ({"StringLike": {"aws:SourceVpce": "*"}}, False),
        ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, True),
        ({"IpAddress": {"AWS:SourceIp": ["192.0.2.0/24"]}}, True),
    ],
    ids=str,
)
def test_behind_cloudfront_what_aws_calls_public_is_not_broken(
    mini_bucket, make_app, distribution, condition, closed
):
    theirs = {
        "Sid": "Theirs",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{mini_bucket.name}/theirs/*",
        "Condition": condition,
    }
    with_raw_policy(mini_bucket, json.dumps({"Version": "2012-10-17", "Statement": [theirs]}))
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=distribution())

    told = mine.run("setup", "--yes").stderr

    assert ("by another statement (Theirs)" in told) is not closed
    assert block(mini_bucket) == (ALL_BLOCKED if closed else dict(OPEN))


@pytest.mark.parametrize("access", ["policy", "acl"])
def test_behind_cloudfront_an_app_beside_it_that_is_public_stays_so(
    mini_bucket, make_app, distribution, access
):
    public = site(make_app, mini_bucket, name="public", FLASKS3_PREFIX="public")
    public.run("setup", "--access", access, "--yes")
    public.run("deploy")
    config = {"FLASKS3_CLOUDFRONT_DISTRIBUTION": distribution()}

    told = site(make_app, mini_bucket, **config).run("setup", "--yes").stderr

    assert "Another app in the bucket is public, so Block Public Access stays" in told
    assert anonymously(mini_bucket, "public/static/b.js").status == 200


def test_another_distribution_gets_a_statement_of_its_own(mini_bucket, make_app, distribution):
    """While the first one still serves; undo takes both."""
    before = everything(mini_bucket)
    first, second = distribution(), distribution("E2SECONDCONTROL")
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=first)
    mine.run("setup", "--yes")
    mine.app.config["FLASKS3_CLOUDFRONT_DISTRIBUTION"] = second

    mine.run("setup", "--yes")
    both = set(statements(mini_bucket))
    mine.run("setup", "--undo", "--yes")

    assert both == {f"FlaskS3CloudFrontRead{name}" for name in (first, second)}
    assert everything(mini_bucket) == before


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"domain": "elsewhere.example"}, "so it does not read this bucket: add one"),
        ({"control": ""}, "without an origin access control"),
    ],
    ids=["another origin", "no origin access control"],
)
def test_a_distribution_that_cannot_read_the_bucket_is_told_of(
    mini_bucket, make_app, distribution, made, told
):
    name = distribution(**made)
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=name)

    assert told in mine.run("setup", "--yes").stderr


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "none is named: set FLASKS3_CLOUDFRONT_DISTRIBUTION to its id"),
        ({"FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD"}, "this account has no such"),
    ],
    ids=["no setting", "no such distribution"],
)
def test_cloudfront_without_a_distribution_is_refused(mini_bucket, make_app, config, told):
    before = everything(mini_bucket)

    ended = site(make_app, mini_bucket, **config).run(
        "setup", "--access", "cloudfront", "--yes", code=2
    )

    assert told in ended.stderr
    assert everything(mini_bucket) == before


def test_a_distribution_that_may_not_be_looked_at_is_taken_to_be_of_the_account(
    mini_bucket, make_app
):
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION="E2EXAMPLE1ABCD")
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("GET", "/distribution/", Answer(403, "AccessDenied"))
        told = through(mine, proxy).run("setup", "--yes").stderr

    assert "grant cloudfront:GetDistribution, or see for yourself" in told
    (statement,) = statements(mini_bucket).values()
    arn = "arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE1ABCD"
    assert statement["Condition"] == {"StringEquals": {"AWS:SourceArn": arn}}


def test_a_bucket_that_a_deploy_creates_behind_cloudfront_stays_private(
    ministack, new_bucket, make_app
):
    bucket = new_bucket(ministack)
    config = {
        "FLASKS3_CLOUDFRONT_DISTRIBUTION": "E2EXAMPLE1ABCD",
        "FLASKS3_CDN_DOMAIN": "cdn.example",
    }

    ended = site(make_app, bucket, **config).run("deploy", "--yes")

    assert "The new bucket is private" in ended.stderr
    assert (statements(bucket), block(bucket)) == ({}, ALL_BLOCKED)
    assert origins(bucket) == ["*"]


# -- what set-up leaves as it is


def test_none_over_a_public_bucket_says_that_it_stays_public(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")

    told = mine.run("setup", "--access", "none", "--yes").stderr

    assert told == (
        "Warning: With --access none set-up takes nothing away, so anybody can still read "
        "static/*: flask s3 setup --undo takes set-up's own grant away, and --access cloudfront "
        "closes the bucket.\n"
    )
    mine.run("setup", "--undo", "--yes")
    assert mine.run("setup", "--access", "none", "--yes").stderr == ""


def test_none_over_a_bucket_that_others_opened_names_their_statement(mini_bucket, make_app):
    mini_bucket.open_to_anybody("static/*")

    told = site(make_app, mini_bucket).run("setup", "--access", "none", "--yes").stderr

    assert "still read what the policy's statement number 1 lets them" in told


def test_undo_names_only_the_switches_that_it_turns_on_again(mini_bucket, make_app):
    mini_bucket.client.put_public_access_block(
        Bucket=mini_bucket.name, PublicAccessBlockConfiguration=ALL_BLOCKED
    )
    mine = site(make_app, mini_bucket)
    mine.run("setup", "--yes")

    told = mine.run("setup", "--undo", "--yes").stdout

    assert "BlockPublicPolicy and RestrictPublicBuckets on again: set-up changed it" in told
    assert "BlockPublicAcls" not in told
    assert block(mini_bucket) == ALL_BLOCKED


def test_undo_names_the_switches_that_it_turns_off_again(mini_bucket, make_app, distribution):
    mini_bucket.client.put_public_access_block(
        Bucket=mini_bucket.name, PublicAccessBlockConfiguration={**OPEN, "BlockPublicAcls": True}
    )
    mine = site(make_app, mini_bucket, FLASKS3_CLOUDFRONT_DISTRIBUTION=distribution())
    mine.run("setup", "--yes")

    told = mine.run("setup", "--undo", "--yes").stdout

    off = "IgnorePublicAcls, BlockPublicPolicy and RestrictPublicBuckets off again"
    assert off in told


# -- what is asked for wrongly


def test_a_name_that_no_bucket_can_have_is_refused_in_a_sentence(mini_bucket, make_app):
    mine = site(make_app, mini_bucket, FLASKS3_BUCKET_NAME="My_Bucket")
    for answer in (None, Answer(400)):
        with Proxy(mini_bucket.server.endpoint) as proxy:
            if answer is not None:
                proxy.rule("HEAD", "/My_Bucket", answer)
            told = through(mine, proxy).run("setup", "--yes", code=2).stderr
            written = proxy.seen("PUT")

        assert told == (
            "Error: FLASKS3_BUCKET_NAME is 'My_Bucket', and there is no such bucket, nor can one "
            "be created: a name has 3 to 63 lower-case letters, digits, '-' and '.'. Choose "
            "another.\n"
        )
        assert written == []


def test_credentials_that_may_not_set_up_are_told_of_the_policy_for_it(mini_bucket, make_app):
    mine = site(make_app, mini_bucket)
    with Proxy(mini_bucket.server.endpoint) as proxy:
        proxy.rule("GET", "setup.json", Answer(403, "AccessDenied"))
        note = through(mine, proxy).run("setup", "--dry-run", code=1).stderr
        proxy.clear()
        proxy.rule("GET", "", Answer(403, "AccessDenied"), query="policy")
        part = mine.run("setup", "--dry-run", code=1).stderr

    for told in (note, part):
        assert told.endswith("flask s3 policy --for setup prints all that set-up takes.\n")
        assert told.count("--for setup") == 1


def test_undo_with_an_access_is_refused(mini_bucket, make_app):
    ended = site(make_app, mini_bucket).run("setup", "--undo", "--access", "acl", code=2)

    assert "--undo takes away what was added: leave the others out" in ended.stderr


def test_none_creates_a_private_bucket_with_cors(any_server, new_bucket, make_app):
    bucket = new_bucket(any_server)
    mine = site(make_app, bucket)

    mine.run("setup", "--access", "none", "--yes")

    assert statements(bucket) == {}
    assert origins(bucket) == ["*"]
    bucket.client.put_object(Bucket=bucket.name, Key="static/b.js", Body=b"")
    assert anonymously(bucket, "static/b.js").status == 403
