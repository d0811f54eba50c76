"""HTTP as the tests speak it: short calls, and answers that say what is wrong with them.

Each answer is held against the OpenAPI document on its way (contract.py).
"""
import http.client

import requests

from .contract import contract

PATIENCE_S = 15


class Answer:
    """One answer: its status, and its body where it is JSON."""

    def __init__(self, response):
        self.response = response
        # It is not guessed from what the body looks like.
        response.encoding = response.encoding or "utf-8"
        self.status, self.headers, self.text = response.status_code, response.headers, response.text
        kind = self.headers.get("Content-Type", "")
        is_json = self.text and kind.split(";")[0] in ("application/json", "application/problem+json")
        self.body = response.json() if is_json else None

    def __getitem__(self, name):
        return self.body[name]

    def __repr__(self):
        return f"<{self.response.request.method} {self.response.request.path_url}: {self.status} {self.text[:2000]}>"

    @property
    def code(self):
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def items(self):
        return self.body["items"]

    def faults(self):
        """{pointer or parameter: code} of a problem."""
        return {fault.get("pointer", fault.get("parameter")): fault["code"] for fault in self.body.get("errors", [])}

    def ok(self, status=None):
        assert self.status == status if status else 200 <= self.status < 300, repr(self)
        return self

    def refused(self, status, code=None, **members):
        """A problem, well-formed, with that status, code and members."""
        assert self.status == status, repr(self)
        assert self.headers["Content-Type"] == "application/problem+json", repr(self)
        assert self.body["status"] == status and self.body["title"] and self.body["detail"] and self.body["type"], repr(self)
        assert code is None or self.code == code, repr(self)
        for name, value in members.items():
            assert self.body.get(name) == value, repr(self)
        return self


class Client:
    """Somebody who calls: anonymous, or with a token."""

    def __init__(self, url, token=None, headers=None):
        self.url, self.token = url, token
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept-Encoding"] = "identity"
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers.update(headers or {})

    def call(self, method, path, json=None, params=None, headers=None, data=None, timeout=PATIENCE_S):
        answer = Answer(self.session.request(method, self.url + path, json=json, params=params, headers=headers, data=data,
                                             timeout=timeout, allow_redirects=False))
        if contract():
            contract().check(method, answer.response.url, json, answer)
        return answer

    def raw(self, method, path, headers=None, data=None):
        """As call(), but path, headers and body go out as they are written, however malformed."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE_S)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**self.session.headers, **(headers or {})}.items():
            connection.putheader(name, value)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        response = connection.getresponse()
        answer = requests.Response()
        answer.status_code, answer._content = response.status, response.read()
        answer.headers = requests.structures.CaseInsensitiveDict(response.getheaders())
        answer.request = requests.PreparedRequest()
        answer.request.method, answer.request.url = method, self.url + path
        answer.encoding = "utf-8"
        connection.close()
        answer = Answer(answer)
        if contract():
            contract().check(method, path, None, answer)
        return answer

    def get(self, path, **params):
        return self.call("GET", path, params=params)

    def post(self, path, json=None, **more):
        return self.call("POST", path, json=json, **more)

    def put(self, path, json=None, **more):
        return self.call("PUT", path, json=json, **more)

    def patch(self, path, json=None, **more):
        return self.call("PATCH", path, json=json, **more)

    def delete(self, path, **more):
        return self.call("DELETE", path, **more)

    def pages(self, path, **params):
        """Every item of a list, over all its pages."""
        found = []
        while True:
            page = self.get(path, **params).ok(200)
            found += page.items
            if page["next_cursor"] is None:
                return found
            params["cursor"] = page["next_cursor"]

    def close(self):
        self.session.close()
