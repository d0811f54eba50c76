"""The hosted pages in a real Chromium: what a newcomer on a phone sees and does.

Owns its browser; the running system comes as the fixture `rollcall`. Each test ends
with a look at the browser's console: only refused calls may stand there, so a
violated Content-Security-Policy fails the test in which it happened.
"""
import itertools
import pathlib
import re

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PAGES = pathlib.Path(__file__).resolve().parents[2] / "server" / "pages"
LANGUAGES = ["en", "uk", "ru"]
PASSWORD = "violet tractor under seven moons"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--lang=en-US",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_S = 10
numbers = itertools.count(1)


class Page:
    """The page as its visitor knows it: a heading, a lead, fields and buttons."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url):
        # From somewhere else, so that a change of fragment alone is a load as well.
        self.driver.get("about:blank")
        self.driver.get(url)
        self.settle()

    def settle(self):
        self.until(lambda: self.find("#card").get_attribute("data-mood") not in (None, "wait"))

    def until(self, claim):
        # What is looked at may be replaced between finding and reading it.
        return WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.05,
                             ignored_exceptions=[StaleElementReferenceException]).until(lambda _: claim())

    def find(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.find(selector).text

    def until_heading(self, text):
        self.until(lambda: self.text("#heading") == text)

    def until_text(self, selector, text):
        self.until(lambda: text in self.text(selector))

    def fill(self, **values):
        for name, value in values.items():
            field = self.find(f"#{name}")
            field.clear()
            field.send_keys(value)

    def submit(self, **values):
        self.fill(**values)
        self.find("[type=submit]").click()

    def actions(self):
        return [action.text for action in self.all("#actions > *")]

    def focused(self):
        return self.driver.switch_to.active_element.get_attribute("id")

    def command(self, name, **arguments):
        return self.driver.execute_cdp_cmd(name, arguments)

    def narrow(self, width=320):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=640, deviceScaleFactor=1, mobile=True)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": "en-US,en"})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    yield driver
    driver.quit()


@pytest.fixture
def page(driver):
    page = Page(driver)
    page.command("Network.clearBrowserCookies")
    driver.get_log("browser")
    yield page
    page.command("Emulation.clearDeviceMetricsOverride")
    assert [entry for entry in driver.get_log("browser") if not is_refused_call(entry)] == []


def is_refused_call(entry):
    """Chromium logs each answer from 400 up and each lost connection: fine, but not for our own files."""
    return entry["source"] == "network" and "/static/" not in entry["message"]


def email():
    return f"olena{next(numbers)}@example.org"


def invite(rollcall, **fields):
    """A pending user and the link of the invitation."""
    fields = {"email": email(), "first_name": "Олена", "last_name": "Коваль", **fields}
    user = rollcall.create_user(**fields)
    return user, rollcall.mail_link(fields["email"])


def token_of(link):
    return link.split("#", 1)[1]


def accepted(rollcall):
    """A user with PASSWORD and an invitation that is used."""
    user, link = invite(rollcall)
    answer = requests.post(f"{rollcall.url}/v1/invitations/accept",
                           json={"token": token_of(link), "password": PASSWORD}, timeout=10)
    assert answer.status_code == 200, answer.text
    return user, link


def reset_link(rollcall, user):
    answer = requests.post(f"{rollcall.url}/v1/password-resets",
                           json={"organization": str(rollcall.org_id), "login": user["email"]}, timeout=10)
    assert answer.status_code == 202, answer.text
    return newest_reset_link(rollcall, user)


def newest_reset_link(rollcall, user):
    """The invitation's mail is there already: waits for the one after it."""
    def newest(system):
        link = system.mail_link(user["email"])
        return "/reset-password#" in link and link

    return WebDriverWait(rollcall, PATIENCE_S, poll_frequency=0.05).until(newest)


def change(rollcall, table, assignments, user):
    rollcall.db.execute(f"UPDATE rollcall.{table} SET {assignments} WHERE org_id = %s AND user_id = %s",
                        (rollcall.org_id, user["id"]))
    rollcall.db.commit()


def sign_in_address(rollcall, **query):
    return requests.Request("GET", f"{rollcall.url}/sign-in",
                            params={"organization": str(rollcall.org_id), **query}).prepare().url


# Accepting an invitation

def test_an_invitation_becomes_a_password_and_the_password_lets_in(rollcall, page):
    user, link = invite(rollcall)
    page.open(link)
    assert page.text("#heading") == "Welcome, Олена"
    assert page.find("#login").get_attribute("value") == user["email"]
    assert "Welcome, Олена" in page.driver.title
    page.submit(password=PASSWORD)
    page.until_heading("You are in")
    assert user["email"] in page.text("#lead")
    assert page.find("#password").get_attribute("value") == ""
    page.find("#actions a").click()
    page.until(lambda: "/sign-in" in page.driver.current_url)
    page.settle()
    page.submit(login=user["email"], password=PASSWORD)
    page.until_heading("You are signed in")


def test_the_token_is_nowhere_but_in_the_fragment_and_gone_at_the_end(rollcall, page):
    _, link = invite(rollcall)
    page.open(link)
    page.driver.refresh()
    page.settle()
    assert page.text("#heading") == "Welcome, Олена"
    assert page.driver.current_url.endswith("#" + token_of(link))
    page.submit(password=PASSWORD)
    page.until_heading("You are in")
    script = "return performance.getEntriesByType('resource').map(entry => entry.name).join() + location.href"
    assert token_of(link) not in page.driver.execute_script(script)
    assert page.driver.execute_script("return localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_a_link_with_a_bracket_or_a_space_after_it_works(rollcall, page):
    _, link = invite(rollcall)
    page.open(link + "%3E.)%20")
    assert page.text("#heading") == "Welcome, Олена"


def test_a_link_pasted_over_another_in_the_same_tab_is_opened(rollcall, page):
    _, link = invite(rollcall)
    page.open(f"{rollcall.url}/accept#cut")
    assert page.text("#heading") == "This link is not complete"
    page.driver.execute_script("location.hash = arguments[0]", token_of(link))
    page.until_heading("Welcome, Олена")


def test_a_password_that_is_too_short_is_explained_beside_the_field(rollcall, page):
    _, link = invite(rollcall)
    page.open(link)
    page.submit(password="short")
    page.until_text("#password-error", "Too short")
    field = page.find("#password")
    assert "12" in page.text("#password-error")
    assert page.text("#count") == "Characters: 5, at least 12"
    assert field.get_attribute("aria-invalid") == "true"
    assert "password-error" in field.get_attribute("aria-describedby")
    assert page.focused() == "password"
    field.send_keys("!")
    assert page.text("#password-error") == ""


def test_a_common_password_and_an_empty_one_are_refused_with_a_reason(rollcall, page):
    _, link = invite(rollcall)
    page.open(link)
    page.submit()
    page.until_text("#password-error", "Please fill this in")
    page.submit(password="passwordpassword")
    page.until_text("#password-error", "Too easy to guess")


def test_an_expired_invitation_says_so(rollcall, page):
    user, link = invite(rollcall)
    change(rollcall, "invitation", "expires_at = now() - interval '1 minute'", user)
    page.open(link)
    assert page.text("#heading") == "This invitation has expired"
    assert "administrator" in page.text("#lead")
    assert not page.find("form").is_displayed()


def test_a_used_invitation_offers_to_sign_in(rollcall, page):
    _, link = accepted(rollcall)
    page.open(link)
    assert page.text("#heading") == "This invitation has been used"
    assert page.actions() == ["Sign in", "Forgot your password?"]


def test_a_withdrawn_invitation_says_so_even_after_the_form_was_opened(rollcall, page):
    user, link = invite(rollcall)
    page.open(link)
    change(rollcall, "invitation", "state = 'revoked', generation = generation + 1", user)
    page.submit(password=PASSWORD)
    page.until_heading("This invitation has been withdrawn")
    page.open(link)
    assert page.text("#heading") == "This invitation has been withdrawn"


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda token: "", id="no token"),
    pytest.param(lambda token: token[:40], id="cut off"),
    pytest.param(lambda token: token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1], id="altered"),
    pytest.param(lambda token: "A" * 5000, id="far too long"),
])
def test_a_link_that_is_not_ours_is_told_from_a_dead_one(rollcall, page, spoil):
    _, link = invite(rollcall)
    for path in ("accept", "reset-password"):
        page.open(f"{rollcall.url}/{path}#{spoil(token_of(link))}")
        assert page.text("#heading") == "This link is not complete"
        assert "Copy the whole link" in page.text("#lead")


# When the service does not answer

def test_without_a_network_the_form_keeps_what_was_typed_and_works_later(rollcall, page):
    _, link = invite(rollcall)
    page.open(link)
    page.driver.set_network_conditions(offline=True, latency=0, throughput=-1)
    try:
        page.submit(password=PASSWORD)
        page.until_text("#problem", "No connection")
    finally:
        page.driver.set_network_conditions(offline=False, latency=0, throughput=-1)
    page.find("[type=submit]").click()
    page.until_heading("You are in")


def open_once_unavailable(page, link, seconds):
    """The first call is answered as a proxy in front of a server that is being replaced would."""
    script = """const real = fetch; let first = true; window.fetch = (...call) => {
        const answer = first ? Promise.resolve(new Response("<html>", {status: 503, headers: {"Retry-After": "%d"}})) : real(...call);
        first = false; return answer; };""" % seconds
    added = page.command("Page.addScriptToEvaluateOnNewDocument", source=script)
    try:
        page.open(link)
    finally:
        page.command("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])


def test_a_503_offers_a_retry_and_makes_it_wait_as_long_as_asked(rollcall, page):
    _, link = invite(rollcall)
    open_once_unavailable(page, link, 500)
    assert "cannot answer" in page.text("#lead")
    assert re.fullmatch(r"Try again in [78]:\d\d", page.text("#actions button"))
    page.find("#actions button").click()
    assert page.text("#heading") == "This link could not be opened"
    open_once_unavailable(page, link, 1)
    page.until(lambda: page.find("#actions button").get_attribute("aria-disabled") is None)
    assert page.text("#actions button") == "Try again"
    page.find("#actions button").click()
    page.until_heading("Welcome, Олена")


# Signing in

def test_signing_in_sets_a_cookie_that_scripts_cannot_read_and_signing_out_ends_it(rollcall, page):
    user, _ = accepted(rollcall)
    page.open(sign_in_address(rollcall))
    page.submit(login=user["email"], password=PASSWORD)
    page.until_heading("You are signed in")
    assert f"{user['first_name']} {user['last_name']}" in page.text("#lead")
    cookies = {cookie["name"]: cookie for cookie in page.driver.get_cookies()}
    assert cookies["__Host-rollcall"]["httpOnly"]
    assert page.driver.execute_script("return document.cookie") == ""
    page.driver.refresh()
    page.until_heading("You are signed in")
    page.find("#actions button").click()
    page.until_text("#lead", "You have signed out")
    page.driver.refresh()
    page.until_heading("Sign in")


def test_a_wrong_password_and_an_unknown_login_are_told_alike(rollcall, page):
    user, _ = accepted(rollcall)
    page.open(sign_in_address(rollcall))
    page.submit(login=user["email"], password="wrong")
    page.until_text("#problem", "Login or password is wrong")
    told = page.text("#problem")
    assert page.focused() == "password"
    page.open(sign_in_address(rollcall))
    page.submit(login="nobody@example.org", password="wrong")
    page.until_text("#problem", "Login or password is wrong")
    assert page.text("#problem") == told


def test_next_leads_on_after_signing_in(rollcall, page):
    user, _ = accepted(rollcall)
    page.open(sign_in_address(rollcall, next="/forgot-password?lang=en#here"))
    page.submit(login=user["email"], password=PASSWORD)
    page.until(lambda: page.driver.current_url == f"{rollcall.url}/forgot-password?lang=en#here")
    # With a session it waits for a click: no loop with an application that refuses it.
    page.open(sign_in_address(rollcall, next="/forgot-password"))
    assert page.actions() == ["Continue", "Sign out"]


@pytest.mark.parametrize("path", ["//example.com/", "/\\example.com/", "https://example.com/", "/.//example.com/",
                                  "/\t/example.com/", "javascript:alert(1)", "example"])
def test_next_never_leads_away(rollcall, page, path):
    user, _ = accepted(rollcall)
    page.open(sign_in_address(rollcall, next=path))
    page.submit(login=user["email"], password=PASSWORD)
    page.until(lambda: page.text("#heading") in ("You are signed in", "Nothing here"))
    assert page.driver.current_url.startswith(rollcall.url + "/")


# A forgotten password

def test_a_forgotten_password_is_set_anew_through_the_mail(rollcall, page):
    user, _ = accepted(rollcall)
    page.open(f"{rollcall.url}/forgot-password?organization={rollcall.org_id}")
    page.submit(login=user["email"])
    page.until_heading("Check your mail")
    assert user["email"] in page.text("#lead")
    link = newest_reset_link(rollcall, user)
    page.open(link)
    assert page.text("#heading") == "Set a new password"
    page.submit(password="short")
    page.until_text("#password-error", "Too short")
    page.submit(password="another tractor under nine moons")
    page.until_heading("Password changed")
    assert "#" not in page.driver.current_url
    page.open(link)
    assert page.text("#heading") == "This link has been used"
    assert page.actions() == ["Sign in", "Get a new link"]


def test_an_unknown_login_gets_the_same_page(rollcall, page):
    page.open(f"{rollcall.url}/forgot-password?organization={rollcall.org_id}")
    page.submit(login="nobody@example.org")
    page.until_heading("Check your mail")
    assert page.actions() == ["Back to sign-in", "Try another address"]


def test_an_expired_reset_link_offers_a_new_one(rollcall, page):
    user, _ = accepted(rollcall)
    link = reset_link(rollcall, user)
    change(rollcall, "password_reset", "expires_at = now() - interval '1 minute'", user)
    page.open(link)
    assert page.text("#heading") == "This link has expired"
    page.find("#actions a").click()
    page.until_heading("Forgot your password?")


# A new address

def asked(rollcall, user=None, **fields):
    """A user whose new address waits to be confirmed, the address and the mailed link."""
    rollcall.set_policy(email_change="admin")
    user = user or rollcall.create_active(**fields)
    new = email()
    rollcall.admin.patch(f"/v1/users/{user['id']}", {"email": new}).ok(200)
    return user, new, rollcall.mail_link(new)


def test_a_new_address_is_confirmed_by_a_button_and_not_by_opening(rollcall, page):
    user, new, link = asked(rollcall)
    assert link.startswith(f"{rollcall.url}/confirm-email#")
    for _ in range(2):
        page.open(link)
        assert page.text("#heading") == "Confirm your new address"
        assert new in page.text("#lead")
        assert rollcall.user(user)["email"] == user["email"]
    page.find("[type=submit]").click()
    page.until_heading("Address confirmed")
    assert rollcall.user(user)["email"] == new
    assert "#" not in page.driver.current_url and page.actions() == ["Sign in"]
    page.open(link)
    assert page.text("#heading") == "This address is confirmed"


def test_a_link_to_a_new_address_says_why_it_is_dead(rollcall, page):
    user, new, link = asked(rollcall)
    page.open(link)
    rollcall.create_user(email=new)
    page.find("[type=submit]").click()
    page.until_text("#problem", "Somebody else has this address")
    change(rollcall, "email_change", "expires_at = now() - interval '1 minute'", user)
    page.find("[type=submit]").click()
    page.until_heading("This link has expired")
    _, _, newer = asked(rollcall, user)
    page.open(link)
    assert page.text("#heading") == "This link no longer counts"
    page.open(newer[:-2])
    assert page.text("#heading") == "This link is not complete"


@pytest.mark.parametrize("language, heading", [("uk", "Підтвердьте нову адресу"), ("ru", "Подтвердите новый адрес")])
def test_the_page_of_a_new_address_speaks_its_visitors_language(rollcall, page, language, heading):
    _, new, link = asked(rollcall)
    page.open(link.replace("/confirm-email#", f"/confirm-email?lang={language}#"))
    assert page.text("#heading") == heading and new in page.text("#lead")
    assert "{" not in page.text("body")


# Languages

@pytest.mark.parametrize("language, heading", [("en", "Welcome, Олена"), ("uk", "Вітаємо, Олена"), ("ru", "Здравствуйте, Олена")])
def test_a_page_speaks_the_language_that_is_asked_for(rollcall, page, language, heading):
    _, link = invite(rollcall)
    page.open(link.replace("/accept#", f"/accept?lang={language}#"))
    assert page.text("#heading") == heading
    assert page.find("html").get_attribute("lang") == language
    assert "{" not in page.text("body")


def test_a_page_speaks_the_language_of_the_browser(rollcall, page):
    agent = page.driver.execute_script("return navigator.userAgent")
    page.command("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="de-DE,uk-UA,en")
    try:
        page.open(f"{rollcall.url}/forgot-password")
        assert page.text("#heading") == "Забули пароль?"
    finally:
        page.command("Emulation.setUserAgentOverride", userAgent=agent, acceptLanguage="en-US,en")


def test_changing_the_language_keeps_what_was_typed_and_the_link(rollcall, page):
    _, link = invite(rollcall)
    page.open(link)
    page.submit(password="short")
    page.until_text("#password-error", "Too short")
    page.find("#languages [lang=uk]").click()
    page.until_heading("Вітаємо, Олена")
    assert page.find("#password").get_attribute("value") == "short"
    assert "Закороткий" in page.text("#password-error")
    page.driver.refresh()
    page.until_heading("Вітаємо, Олена")


def test_every_language_has_every_text_with_the_same_values():
    def texts(language):
        source = (PAGES / f"texts-{language}.js").read_text()
        return {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in re.findall(r'^\t(\w+): "(.+)",$', source, re.M)}

    english = texts("en")
    assert len(english) > 50
    for language in LANGUAGES:
        assert texts(language) == english


# For everyone

@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_phone_nothing_runs_over_and_every_target_is_large_enough(rollcall, page, language):
    _, link = invite(rollcall, first_name="Максиміліана-Олександрівна-Дуже-Довгеім’я")
    page.narrow()
    for path in ("sign-in", "forgot-password", "reset-password", "confirm-email", "no-such-page", "accept#" + token_of(link)):
        where, _, fragment = path.partition("#")
        page.open(f"{rollcall.url}/{where}?lang={language}#{fragment}")
        assert page.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth"), path
        targets = page.all("button, a, input:not([type=checkbox]), label.check")
        small = [each.text for each in targets if each.is_displayed() and each.rect["height"] < 44]
        assert small == [], path


def test_the_keyboard_alone_is_enough(rollcall, page):
    user, _ = accepted(rollcall)

    def press(*keys):
        page.driver.switch_to.active_element.send_keys(*keys)

    def tab_to(name):
        for _ in range(12):
            if page.focused() == name:
                return
            press(Keys.TAB)
        raise AssertionError(f"the focus never came to {name}")

    page.open(sign_in_address(rollcall))
    tab_to("login")
    press(user["email"])
    tab_to("password")
    press(PASSWORD)
    tab_to("show")
    press(Keys.SPACE)
    assert page.find("#password").get_attribute("type") == "text"
    outline = page.driver.execute_script("return getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    press(Keys.SHIFT + Keys.TAB + Keys.NULL)
    press(Keys.ENTER)
    page.until_heading("You are signed in")
    assert page.focused() == "heading"


def test_every_field_has_a_label_and_every_reference_a_target(rollcall, page):
    for path in ("accept", "sign-in", "forgot-password", "reset-password", "confirm-email"):
        page.open(f"{rollcall.url}/{path}")
        loose = page.driver.execute_script("""
            const described = input => (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
            return [...document.querySelectorAll("input")].filter(input => input.labels.length !== 1
                || described(input).some(id => !document.getElementById(id))).map(input => input.id)""")
        assert loose == [], path


def test_without_scripts_the_page_says_what_it_needs(rollcall, page):
    page.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.driver.get(f"{rollcall.url}/sign-in")
        assert "This page needs JavaScript." in page.text("body")
        assert not page.find("form").is_displayed()
    finally:
        page.command("Emulation.setScriptExecutionDisabled", value=False)


def test_the_policy_of_the_pages_is_strict_and_nothing_in_them_offends_it(rollcall, page):
    answer = requests.get(f"{rollcall.url}/accept", timeout=10)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    for path in ("accept", "sign-in", "forgot-password", "reset-password", "confirm-email", "no-such-page"):
        page.open(f"{rollcall.url}/{path}")
    for source in PAGES.glob("*.html"):
        text = source.read_text()
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*\ssrc=)|data:", text), source.name
