"""HTTP as the tests speak it: short calls, and answers that say what is wrong with them."""
import requests

PATIENCE_S = 15


class Answer:
    """One answer: its status, and its body where it is JSON."""

    def __init__(self, response):
        self.response = response
        self.status, self.headers, self.text = response.status_code, response.headers, response.text
        kind = self.headers.get("Content-Type", "")
        self.body = response.json() if kind.split(";")[0] in ("application/json", "application/problem+json") else None

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
        return Answer(self.session.request(method, self.url + path, json=json, params=params, headers=headers, data=data,
                                           timeout=timeout, allow_redirects=False))

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
