"""Photos: what is taken, what of it stays, what is refused, and how it is given out."""
import hashlib

import pytest

from support import images
from support.client import Client

SAFE = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, no-cache"}
MEDIA = {b"\x89P": "image/png", b"\xff\xd8": "image/jpeg"}


def put(client, path, data, kind="application/octet-stream", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.call("PUT", path, data=data, headers={**({"Content-Type": kind} if kind else {}), **headers})


@pytest.fixture
def user(standing):
    return standing.create_user()


def path_of(user):
    return f"/v1/users/{user['id']}/photo"


@pytest.mark.parametrize("name", images.PHOTOS)
def test_a_picture_is_kept_and_given_out_safely(standing, user, name):
    data = images.PHOTOS[name]
    put(standing.admin, path_of(user), data).ok(204)
    answer = standing.admin.get(path_of(user)).ok(200)
    kept = answer.response.content
    assert answer.headers["Content-Type"] == MEDIA[data[:2]]
    assert {header: answer.headers[header] for header in SAFE} == SAFE
    assert answer.headers["ETag"] == f'"{hashlib.sha256(kept).hexdigest()}"'
    assert answer.headers["Content-Length"] == str(len(kept))
    for secret in (b"GPS", b"Author", b"<script>", b"Cam", b"made at home", b"ICC", b"\xaa\xbb\xcc", b"PK"):
        assert secret not in kept
    # What was clean comes back as it went in, byte by byte.
    put(standing.admin, path_of(user), kept).ok(204)
    assert standing.admin.get(path_of(user)).response.content == kept
    if "everything" not in name and "endian" not in name and not name.endswith("JPEG"):
        assert kept == data


def test_of_a_png_only_five_kinds_of_parts_stay(standing, user):
    put(standing.admin, path_of(user), images.PHOTOS["a PNG with everything"]).ok(204)
    assert images.png_chunks(standing.admin.get(path_of(user)).response.content) == ["IHDR", "IDAT", "IEND"]
    put(standing.admin, path_of(user), images.png_palette()).ok(204)
    assert images.png_chunks(standing.admin.get(path_of(user)).response.content) == ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]


@pytest.mark.parametrize("orientation,order,kept", [(1, ">", None), (3, ">", 3), (6, "<", 6), (8, ">", 8), (9, ">", None), (0, "<", None)])
def test_of_a_jpeg_s_metadata_only_the_orientation_stays(standing, user, orientation, order, kept):
    put(standing.admin, path_of(user), images.jpeg(before=images.exif(orientation, order) + images.ICC + images.COMMENT)).ok(204)
    data = standing.admin.get(path_of(user)).response.content
    assert images.orientation_of(data) == kept
    assert images.jpeg_segments(data) == ([0xE1] if kept else []) + [0xDB, 0xC4, 0xC4, 0xC0]


@pytest.mark.parametrize("name", images.NO_PHOTOS)
def test_what_is_no_picture_is_refused_and_nothing_changes(standing, user, name):
    data, status = images.NO_PHOTOS[name]
    put(standing.admin, path_of(user), data).refused(status, "unsupported_media_type" if status == 415 else "invalid_body")
    assert standing.user(user)["version"] == user["version"]
    standing.admin.get(path_of(user)).refused(404, "not_found")


def test_a_bomb_is_a_kilobyte_that_claims_to_be_a_wall(standing, user):
    bomb, _ = images.NO_PHOTOS["a decompression bomb"]
    assert len(bomb) < 1024
    assert "larger than 4096" in put(standing.admin, path_of(user), bomb).refused(422)["detail"]


def test_a_mebibyte_is_enough(standing, user):
    """The most that is taken, to the byte; one more is not read."""
    room = 1024 * 1024 - len(images.png())
    full = images.png(after=images.chunk("tEXt", bytes(room - 12)))
    assert len(full) == 1024 * 1024
    put(standing.admin, path_of(user), full).ok(204)
    assert len(standing.admin.get(path_of(user)).response.content) == len(images.png())
    pixels = images.jpeg(before=images.JFIF, end=b"\x3f" * (1024 * 1024 - len(images.jpeg())) + images.EOI)
    put(standing.admin, path_of(user), pixels).ok(204)
    assert len(standing.admin.get(path_of(user)).response.content) == len(pixels) - 3
    assert put(standing.admin, path_of(user), full + b"x").status == 413


@pytest.mark.parametrize("kind,status", [(None, 204), ("image/png", 204), ("IMAGE/PNG; charset=binary", 204), ("application/octet-stream", 204),
                                         ("image/jpeg", 415), ("image/svg+xml", 415), ("text/html", 415), ("application/json", 415)])
def test_the_content_decides_and_must_not_be_contradicted(standing, user, kind, status):
    answer = put(standing.admin, path_of(user), images.png(), kind)
    assert answer.status == status, answer
    if status == 415:
        assert "image/png" in answer.refused(415, "unsupported_media_type")["detail"]


def test_the_address_in_the_user_changes_with_the_photo(standing, user):
    assert user["photo_url"] is None
    put(standing.admin, path_of(user), images.png()).ok(204)
    first = standing.user(user)
    assert first["photo_url"].startswith(path_of(user) + "?v=") and first["version"] == user["version"] + 1
    assert standing.admin.get(first["photo_url"]).ok(200).response.content == images.png()
    put(standing.admin, path_of(user), images.png()).ok(204)
    assert standing.user(user) == first, "the same picture again changes nothing"
    put(standing.admin, path_of(user), images.jpeg()).ok(204)
    second = standing.user(user)
    assert second["photo_url"] not in (None, first["photo_url"]) and second["version"] == first["version"] + 1
    assert [item["photo_url"] for item in standing.admin.pages("/v1/users", q=user["email"])] == [second["photo_url"]]
    standing.admin.delete(path_of(user)).ok(204)
    gone = standing.user(user)
    assert gone["photo_url"] is None and gone["version"] == second["version"] + 1
    standing.admin.get(path_of(user)).refused(404, "not_found")
    standing.admin.delete(path_of(user)).refused(404, "not_found")
    told = [(row["action"], row["changes"]) for row in standing.audit(user=user) if "photo" in row["action"]]
    assert told == [("user.photo_removed", {"photo": ["set", None]}), ("user.photo_set", {"photo": ["set", "set"]}),
                    ("user.photo_set", {"photo": [None, "set"]})]


def test_who_has_it_already_is_not_sent_it_again(standing, user):
    put(standing.admin, path_of(user), images.png()).ok(204)
    tag = standing.admin.get(path_of(user)).headers["ETag"]
    for known in (tag, f'W/"x", {tag}', "*"):
        answer = standing.admin.call("GET", path_of(user), headers={"If-None-Match": known}).ok(304)
        assert answer.text == "" and answer.headers["ETag"] == tag and answer.headers["Cache-Control"] == SAFE["Cache-Control"]
    for other in ('"x"', tag.strip('"'), '""'):
        assert standing.admin.call("GET", path_of(user), headers={"If-None-Match": other}).ok(200).response.content == images.png()
    head = standing.admin.call("HEAD", path_of(user)).ok(200)
    assert head.headers["ETag"] == tag and head.headers["Content-Length"] == str(len(images.png())) and head.text == ""


def test_a_photo_is_replaced_only_as_it_was_seen(standing, user):
    put(standing.admin, path_of(user), images.png(), If_Match='"0123"').refused(412, "version_mismatch")
    put(standing.admin, path_of(user), images.png()).ok(204)
    tag = standing.admin.get(path_of(user)).headers["ETag"]
    put(standing.admin, path_of(user), images.jpeg(), If_Match=tag).ok(204)
    put(standing.admin, path_of(user), images.png(), If_Match=tag).refused(412, "version_mismatch")
    standing.admin.delete(path_of(user), headers={"If-Match": tag}).refused(412, "version_mismatch")
    standing.admin.delete(path_of(user), headers={"If-Match": standing.admin.get(path_of(user)).headers["ETag"]}).ok(204)


def test_one_s_own_photo_needs_no_permission_and_another_s_does(standing):
    user = standing.create_active()
    client = standing.sign_in(user)
    put(client, "/v1/me/photo", images.png()).ok(204)
    assert client.get("/v1/me").ok(200)["photo_url"] == standing.user(user)["photo_url"] is not None
    assert client.get("/v1/me/photo").ok(200).response.content == images.png()
    client.get(path_of(user)).refused(403, "permission_missing")
    put(client, path_of(user), images.png()).refused(403, "permission_missing")
    put(client, "/v1/me/photo", b"GIF89a").refused(415)
    event, = standing.audit("user.photo_set", user)
    assert event["actor"]["id"] == user["id"]
    client.delete("/v1/me/photo").ok(204)
    client.get("/v1/me/photo").refused(404, "not_found")


def test_nobody_touches_the_photo_of_who_holds_more(standing):
    limited = standing.client(standing.make_key("users:read", "users:write"))
    path = f"/v1/users/{standing.admin_id}/photo"
    put(limited, path, images.png()).refused(403, "exceeds_your_permissions")
    put(standing.admin, path, images.png()).ok(204)
    limited.delete(path).refused(403, "exceeds_your_permissions")
    assert limited.get(path).ok(200).response.content == images.png()
    other = Client(standing.url, standing.other_organization()["key"])
    other.get(path).refused(404, "not_found")
    put(other, path, images.png()).refused(404, "not_found")
