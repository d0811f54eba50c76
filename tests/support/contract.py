"""The OpenAPI document held against what happens: each answer that a test gets fits what is said of its route and status, and
each request that was granted fits what is said of requests.

The document leaves objects open, for members may come; here they are closed, so that what is not described is found. Validators are
made when they are first needed and kept: the whole suite goes through here.
"""
import functools
import json
import os
import pathlib
import re
import urllib.parse

import fastjsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "build" / "generated" / "openapi" / "openapi.json"
UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
FORMATS = {"uuid": UUID, "duration": r"^P(?=.)[0-9.YMWDTHS]*$", "email": r"^[^@]+@[^@]+$", "password": r"", "date-time": r"^\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}
SAYS = "server/openapi/ says so; README.md there tells how routes are described"
# evhttp answers by itself, in HTML, what it refuses while it reads (server/http.c).
OF_EVHTTP = (400, 413, 417, 501)


class Contract:
    def __init__(self, document):
        self.document = document
        self.routes = sorted(((self.pattern(path), path) for path in document["paths"]), key=lambda route: (route[1].count("{"), route[1]))
        self.validators = {}

    def pattern(self, path):
        """{id}s must be UUIDs, as in server/router.c."""
        def segment(match):
            return UUID[1:-1] if match[1].endswith("id") and match[1] != "external_id" else ".+" if match[1] == "external_id" else "[^/]+"
        return re.compile(re.sub(r"\\{(\w+)\\}", segment, re.escape(path)))

    @functools.lru_cache(maxsize=4096)
    def find(self, path):
        """The path of the document that a request is about; None when there is none."""
        return next((known for pattern, known in self.routes if pattern.fullmatch(path)), None)

    def resolve(self, node):
        while "$ref" in node:
            node = functools.reduce(lambda inside, name: inside[name], node["$ref"][2:].split("/"), self.document)
        return node

    # -- schemas

    def closed(self, schema):
        """With what it refers to inside, and objects closed."""
        if isinstance(schema, list):
            return [self.closed(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return {**self.closed(self.resolve(schema)), **{name: value for name, value in schema.items() if name != "$ref"}}
        made = {name: {member: self.closed(one) for member, one in value.items()} if name == "properties" else self.closed(value)
                for name, value in schema.items() if name not in ("example", "description")}
        if "properties" in made:
            made.setdefault("additionalProperties", False)
        return made

    def fault(self, schema, value):
        """What is wrong with a value; None when nothing is."""
        key = schema.get("$ref") or json.dumps(schema, sort_keys=True)
        if key not in self.validators:
            self.validators[key] = fastjsonschema.compile(self.closed(schema), formats=FORMATS)
        try:
            self.validators[key](value)
        except fastjsonschema.JsonSchemaException as error:
            return f"{error.message}, and is {json.dumps(error.value, ensure_ascii=False)[:200]}"
        return None

    # -- a request and its answer

    def check(self, method, url, request, answer):
        """Raises AssertionError when the document does not say so. `request` is the body as JSON; None without one."""
        target = urllib.parse.urlsplit(url)
        path = self.find(urllib.parse.unquote(target.path))
        told = self.document["paths"].get(path, {}).get("get" if method == "HEAD" else method.lower())
        if told is None or self.is_of_evhttp(answer):
            if answer.status >= 400 and isinstance(answer.body, dict) and answer.headers.get("Content-Type") == "application/problem+json":
                self.say(self.fault({"$ref": "#/components/schemas/Problem"}, answer.body), answer)
            return
        self.say(self.answer_fault(method, told, answer), answer)
        # A bulk's operations are granted or refused one by one.
        if 200 <= answer.status < 300 and not (isinstance(answer.body, dict) and answer.body.get("failed")):
            self.say(self.request_fault(told, target.query, request), answer)

    @staticmethod
    def say(fault, answer):
        assert fault is None, f"{fault}: {SAYS}.\n{answer!r}"

    @staticmethod
    def is_of_evhttp(answer):
        return answer.status in OF_EVHTTP and answer.headers.get("Content-Type", "").startswith("text/html")

    def answer_fault(self, method, told, answer):
        if str(answer.status) not in told["responses"]:
            return f"a status that {told['operationId']} does not answer"
        response = self.resolve(told["responses"][str(answer.status)])
        for name, header in response.get("headers", {}).items():
            if self.resolve(header).get("required") and name not in answer.headers:
                return f"an answer of {told['operationId']} without {name}"
        content = response.get("content", {})
        kind = answer.headers.get("Content-Type", "").split(";")[0]
        if method == "HEAD" or (not content and not answer.text):
            return None
        if kind not in content:
            return f"{told['operationId']} answers {sorted(content) or 'nothing'}, and this is {kind or 'without a type'}"
        if kind == "application/problem+json":
            return self.problem_fault(content[kind]["schema"]["allOf"], answer.body)
        return self.fault(content[kind]["schema"], answer.body) if kind == "application/json" else None

    def problem_fault(self, schemas, problem):
        """All problems are of one schema, and of the codes that a route answers."""
        common, own = schemas
        codes = own["properties"]["code"]["enum"]
        return self.fault(common, problem) or (None if problem["code"] in codes else f"data.code must be one of {codes}, and is {problem['code']}")

    def request_fault(self, told, query, body):
        """What is said of requests is not narrower than what is granted."""
        content = told.get("requestBody", {}).get("content", {})
        if body is not None and "application/json" in content:
            fault = self.fault(content["application/json"]["schema"], body)
            if fault:
                return f"{told['operationId']} granted a body in which {fault}"
        known = {parameter["name"]: parameter for parameter in map(self.resolve, told.get("parameters", [])) if parameter["in"] == "query"}
        for name, text in urllib.parse.parse_qsl(query, keep_blank_values=True):
            if name not in known:
                if told["security"] or known:
                    return f"{told['operationId']} granted a parameter {name}"
                continue
            fault = self.fault(known[name]["schema"], self.value_of(text, known[name]["schema"]))
            if fault:
                return f"{told['operationId']} granted a parameter {name} of which {fault}"
        return None

    @staticmethod
    def value_of(text, schema):
        """A parameter's text as the value that it stands for."""
        kind = schema.get("type")
        if kind == "array":
            return text.split(",")
        if kind == "boolean" and text in ("true", "false"):
            return text == "true"
        return int(text) if kind == "integer" and text.isdigit() else text


@functools.lru_cache(maxsize=1)
def contract():
    """The document that was built last; None where there is none (another build's tests)."""
    path = pathlib.Path(os.environ.get("ROLLCALL_OPENAPI", DOCUMENT))
    return Contract(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
