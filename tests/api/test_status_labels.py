"""status_label: the organization's own word for a status, in the language of who reads it."""
import pytest

WORDS = {
    "hesh": {"pending": "Pending", "active": "Active", "inactive": "Inactive", "locked": "Locked"},
    "urbantz": {"pending": "Pending", "active": "Validated", "inactive": "Banned", "idle": "Inactive", "locked": "DENIED"},
    "wetrack": {"active": "Active User", "inactive": "Inactive User"},
}


@pytest.mark.parametrize("preset", WORDS)
def test_each_product_has_its_own_words(standing, preset):
    made = standing.other_organization(preset)
    client = standing.client(made["key"])
    for status, word in WORDS[preset].items():
        standing.sql("UPDATE rollcall.users SET status = %s, status_before_lock = %s, status_reason = %s WHERE org_id = %s AND id = %s",
                     "inactive" if status == "idle" else status, "active" if status == "locked" else None,
                     "idle" if status == "idle" else "by_admin", made["id"], made["user_id"])
        assert client.get(f"/v1/users/{made['user_id']}").ok(200)["status_label"] == word


def test_a_client_reads_the_language_that_it_asks_for(standing):
    made = standing.other_organization("keycrm")
    client = standing.client(made["key"])
    standing.sql("UPDATE rollcall.users SET status = 'inactive' WHERE org_id = %s AND id = %s", made["id"], made["user_id"])
    for header, word in (("ru-RU,ru;q=0.9", "Заблокирован"), ("uk", "Заблокований"), ("fr", "Blocked"), ("", "Blocked")):
        answer = client.call("GET", f"/v1/users/{made['user_id']}", headers={"Accept-Language": header}).ok(200)
        assert answer["status_label"] == word
        listed = client.call("GET", "/v1/users", headers={"Accept-Language": header}).ok(200).items
        assert [user["status_label"] for user in listed] == [word]


def test_a_user_reads_his_own_language_whatever_his_browser_says(standing):
    user = standing.create_active(locale="uk")
    client = standing.sign_in(user)
    assert client.call("GET", "/v1/me", headers={"Accept-Language": "ru"}).ok(200)["status_label"] == "Активний"


def test_a_word_that_is_missing_is_said_in_english_and_at_last_as_it_is(standing):
    before = standing.admin.get("/v1/policy").ok(200)["status_labels"]
    user = standing.create_active(locale="uk")
    standing.admin.patch("/v1/policy", {"status_labels": {"uk": {"active": None}}}).ok(200)
    assert standing.sign_in(user).get("/v1/me").ok(200)["status_label"] == "Active"
    standing.admin.patch("/v1/policy", {"status_labels": {"en": None, "uk": None, "ru": None}}).ok(200)
    assert standing.admin.get(f"/v1/users/{user['id']}").ok(200)["status_label"] == "active"
    standing.admin.patch("/v1/policy", {"status_labels": before}).ok(200)
