#!/usr/bin/python3
"""Puts the OpenAPI document together from the YAML files of this folder (README.md says how they are written).

    assemble.py VERSION OUT.json FILE.yaml...

What is true of whole kinds of routes (document.yaml: rules) is added to each of them here, so that a file says of a
route only what is its own. What is written wrongly, used and not there, or there and not used, is an error.
"""
import json
import pathlib
import re
import sys

import yaml

METHODS = ("get", "post", "put", "patch", "delete")
PARTS = {"tag", "paths", "bodies", "schemas"}
UNSAFE = ("post", "put", "patch", "delete")
# One word of the short notation for a type: NAME, NAME(MAX) or a|b|c; then [] for a list or {} for a map of them; ? for null.
WORD = re.compile(r"(?P<name>[A-Za-z_]+|[\w-]+(?:\|[\w-]+)+)(?:\((?P<max>\d+)\))?(?P<null>\?)?(?:(?P<many>\[\]|\{\})(?P<many_null>\?)?)?")
JSON, PROBLEM = "application/json", "application/problem+json"


def fail(message):
    sys.exit(f"assemble.py: {message}")


class UniqueLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which a key stands once, and times stay text."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            fail(f"{node.start_mark}: twice: {sorted(twice)}")
        return super().construct_mapping(node, deep)


UniqueLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def refer(kind, name):
    return {"$ref": f"#/components/{kind}/{name}"}


def camel(words):
    return "".join(word.capitalize() for word in re.split(r"[_\W]+", words))


class Assembly:
    def __init__(self, version, files):
        self.common = files.pop("document")
        order = self.common["order"]
        self.files = {name: files[name] for name in sorted(files, key=lambda name: (order.index(name) if name in order else len(order), name))}
        for name, file in self.files.items():
            if not isinstance(file, dict) or "tag" not in file or set(file) - PARTS:
                fail(f"{name}.yaml: it has a tag and {sorted(PARTS - {'tag'})}, and nothing else")
        self.common["info"]["version"] = version
        self.types, self.problems = self.common["types"], self.common["problems"]
        self.types["problem_code"] = {"type": "string", "enum": list(self.problems)}
        self.components = {"schemas": {}, "responses": {}, "parameters": {}, "headers": {},
                           "securitySchemes": self.common["securitySchemes"]}

    # -- schemas

    def schema(self, told):
        """A schema from the short notation `TYPE what it is`, from one with `members`, or from plain JSON Schema."""
        if isinstance(told, str):
            return self.notation(told)
        if isinstance(told, list):
            return [self.schema(one) if isinstance(one, dict) else one for one in told]
        if not isinstance(told, dict):
            return told
        if "members" in told:
            return self.object(told)
        inner = {"items", "additionalProperties", "oneOf", "anyOf", "allOf"}
        return {key: (self.schema(value) if key in inner and value not in (True, False) else
                      {name: self.schema(one) for name, one in value.items()} if key == "properties" else value)
                for key, value in told.items()}

    def object(self, told):
        told = dict(told)
        members, optional, required = told.pop("members"), told.pop("optional", []), told.pop("required", None)
        if required is None:
            required = [name for name in members if name not in optional]
        unknown = (set(optional) | set(required)) - set(members)
        if unknown:
            fail(f"no such members: {sorted(unknown)}")
        made = {"type": "object", **told, "properties": {name: self.schema(one) for name, one in members.items()}}
        if required:
            made["required"] = required
        return made

    def notation(self, text):
        word, _, description = text.partition(" ")
        match = WORD.fullmatch(word)
        if not match:
            fail(f"not a type: {text}")
        made = self.named(match["name"], match["max"])
        if match["null"]:
            made = self.or_null(made)
        if match["many"]:
            made = {"type": "array", "items": made} if match["many"] == "[]" else {"type": "object", "additionalProperties": made}
        if match["many_null"]:
            made = self.or_null(made)
        return {**made, **({"description": description.strip()} if description else {})}

    def named(self, name, limit):
        if "|" in name:
            return {"type": "string", "enum": name.split("|")}
        if name[0].isupper():
            return refer("schemas", name)
        if name not in self.types:
            fail(f"no such type: {name}")
        made = dict(self.types[name])
        if limit:
            made["maxItems" if made["type"] == "array" else "maxLength"] = int(limit)
        return made

    @staticmethod
    def or_null(schema):
        if "$ref" in schema:
            return {"anyOf": [schema, {"type": "null"}]}
        return {**schema, "type": [schema["type"], "null"], **({"enum": schema["enum"] + [None]} if "enum" in schema else {})}

    # -- what a route takes

    def path_parameters(self, path):
        for name in re.findall(r"{(\w+)}", path):
            if name not in self.common["path_parameters"]:
                fail(f"{path}: document.yaml does not say what {{{name}}} is")
            key = "Path" + camel(name)
            told = self.common["path_parameters"][name]
            self.components["parameters"][key] = {"name": name, "in": "path", "required": True, **self.parameter(told)}
            yield refer("parameters", key)

    def parameter(self, told):
        """Schema and description of one; lists are written a,b."""
        schema = self.schema(told)
        description = schema.pop("description", None)
        if not description:
            fail(f"a parameter without a description: {told}")
        style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
        return {"description": description, "schema": schema, **style}

    def query_parameters(self, names):
        for told in names:
            if isinstance(told, dict):
                yield from ({"name": name, "in": "query", **self.parameter(one)} for name, one in told.items())
                continue
            if told in self.common["query_groups"]:
                yield from self.query_parameters(self.common["query_groups"][told])
                continue
            if told not in self.common["query_parameters"]:
                fail(f"document.yaml does not say what the parameter {told} is")
            key = "Query" + camel(told)
            self.components["parameters"][key] = {"name": told, "in": "query", **self.parameter(self.common["query_parameters"][told])}
            yield refer("parameters", key)

    def header_parameters(self, names):
        for name in names:
            key = camel(name)
            self.components["parameters"][key] = {"name": name, "in": "header", **self.parameter(self.common["header_parameters"][name])}
            yield refer("parameters", key)

    def request_body(self, method, name, example):
        media = {"schema": refer("schemas", name), **({"example": example} if example is not None else {})}
        kinds = [JSON] + (["application/merge-patch+json"] if method == "patch" else [])
        return {"required": bool(self.components["schemas"][name].get("required")), "content": {kind: media for kind in kinds}}

    # -- what it answers

    def headers(self, names):
        for name in names:
            told = self.common["headers"][name]
            self.components["headers"][name] = {"description": told["description"], "schema": self.schema(told["schema"]),
                                                **({"required": True} if told.get("always") else {})}
        return {name: refer("headers", name) for name in names}

    def page_of(self, item):
        name = f"{item}Page"
        self.components["schemas"].setdefault(name, self.object({
            "description": self.common["page"]["description"],
            "members": {"items": f"{item}[]", **self.common["page"]["members"]}, "optional": self.common["page"]["optional"]}))
        return name

    def answer(self, told, headers, example):
        if isinstance(told, str):
            told = {"schema": told}
        told = dict(told)
        schema, page = told.pop("schema", None), told.pop("page", None)
        if page:
            schema = self.page_of(page)
        headers = headers + told.pop("headers", [])
        made = {"description": told.pop("description", None), "headers": self.headers(headers), **told}
        if schema:
            known = self.components["schemas"].get(schema) or fail(f"no such schema: {schema}")
            made["description"] = made["description"] or known.get("description")
            made["content"] = {JSON: {"schema": refer("schemas", schema), **({"example": example} if example is not None else {})}}
        if not made["description"]:
            fail(f"an answer without a description: {told}")
        return made

    def problem(self, status, codes):
        """One response for all routes that answer the same codes with this status."""
        name = "Or".join(camel(code) for code in codes)
        for code in codes:
            if self.problems.get(code, {}).get("status") != status:
                fail(f"{code} is no problem of status {status}: see document.yaml")
        first = self.problems[codes[0]]
        self.components["responses"][name] = {
            "description": " ".join(f"`{code}`: {self.problems[code]['title']}." for code in codes),
            "headers": self.headers(["X-Request-Id"] + self.common["headers_of_problems"].get(status, [])),
            "content": {PROBLEM: {
                "schema": {"allOf": [refer("schemas", "Problem"), {"properties": {"code": {"enum": codes}}}]},
                "example": {"type": "about:blank", "title": first["title"], "status": status, "detail": first["detail"], "code": codes[0],
                            **first.get("example", {})}}}}
        return refer("responses", name)

    # -- routes

    def rules_for(self, method, path, told):
        """Names of the rules of document.yaml that hold for a route."""
        who = told["who"]
        yield "every" if who != "public" else "public"
        if who != "public" and not told.get("is_unlimited"):
            yield "limited"
        if who == "anonymous":
            yield "anonymous"
        if who not in ("public", "anonymous"):
            yield "signed_in"
            if isinstance(who, list) or who in ("user", "operator"):
                yield "permission"
            if method in UNSAFE:
                yield "unsafe"
                if not (told.get("ignores_key") or told.get("ignores_input")):
                    yield "idempotent"
            if told.get("shows_secret"):
                yield "secret"
        if "{" in path and who != "public":
            yield "path"
        if who != "public" and not told.get("ignores_input"):
            yield "input"
        if "body" in told:
            yield "body"
        if told.get("versioned") and method != "get" and list(told["answers"]) != [201]:
            yield "if_match"

    def security(self, who):
        if who in ("public", "anonymous"):
            return []
        if who == "operator":
            return [{"operator": []}]
        words = who if isinstance(who, list) else []
        return [{"bearer": words}, {"cookie": words}]

    def operation(self, method, path, told, tag):
        told = dict(told)
        if "who" not in told or "summary" not in told or "operationId" not in told or "answers" not in told:
            fail(f"{method} {path}: who, summary, operationId and answers are needed")
        rules = [self.common["rules"].get(name, {}) for name in self.rules_for(method, path, told)]
        who, examples = told.pop("who"), told.pop("example", {})
        for name in ("ignores_input", "ignores_key", "is_unlimited", "shows_secret"):
            told.pop(name, None)
        parameters = [*self.path_parameters(path), *self.query_parameters(told.pop("query", [])),
                      *self.header_parameters(told.pop("takes_headers", [])),
                      *self.header_parameters(name for rule in rules for name in rule.get("parameters", []))]
        headers = ["X-Request-Id"] + (["ETag"] if told.pop("versioned", False) else []) + [name for rule in rules for name in rule.get("headers", [])]
        answers, problems = {}, {}
        for status, one in told.pop("answers").items():
            with_tag = [name for name in headers if name != "ETag" or status in (200, 201, 202)]
            answers[str(status)] = self.answer(one, with_tag, examples.get("answer"))
        for source in [*(rule.get("problems", {}) for rule in rules), told.pop("problems", {})]:
            for status, codes in source.items():
                problems[status] = problems.get(status, []) + [code for code in codes if code not in problems.get(status, [])]
        for status, codes in sorted(problems.items()):
            answers[str(status)] = self.problem(status, sorted(codes))
        if "body" in told:
            told["requestBody"] = self.request_body(method, told.pop("body"), examples.get("request"))
        made = {"tags": [tag], "summary": told.pop("summary"), **told, "security": self.security(who)}
        if parameters:
            made["parameters"] = parameters
        return {**made, "responses": answers}

    # -- all of it

    def read_schemas(self):
        for file in [self.common, *self.files.values()]:
            for name, told in file.get("bodies", {}).items():
                self.add_schema(name, {"required": [], "additionalProperties": False, **told})
            for name, told in file.get("schemas", {}).items():
                self.add_schema(name, told)

    def add_schema(self, name, told):
        if name in self.components["schemas"]:
            fail(f"there are two schemas {name}")
        self.components["schemas"][name] = self.schema(told)

    def document(self):
        self.read_schemas()
        paths, tags = {}, []
        for file in self.files.values():
            tags.append(file["tag"])
            for path, methods in file.get("paths", {}).items():
                for method, told in methods.items():
                    if method not in METHODS or method in paths.get(path, {}):
                        fail(f"{path}: {method} stands twice or is no method")
                    paths.setdefault(path, {})[method] = self.operation(method, path, told, file["tag"]["name"])
        document = {"openapi": "3.1.0", "info": self.common["info"], "servers": self.common["servers"], "tags": tags,
                    "paths": paths, "components": self.components}
        self.check_references(document)
        return document

    def check_references(self, document):
        used, todo = set(), [paths for paths in document["paths"].values()]
        while todo:
            node = todo.pop()
            if isinstance(node, dict):
                reference = node.get("$ref")
                if reference and reference not in used:
                    used.add(reference)
                    _, _, kind, name = reference.split("/")
                    if name not in self.components[kind]:
                        fail(f"no such component: {reference}")
                    todo.append(self.components[kind][name])
                todo += node.values()
            elif isinstance(node, list):
                todo += node
        unused = [f"{kind}/{name}" for kind in self.components if kind != "securitySchemes"
                  for name in self.components[kind] if f"#/components/{kind}/{name}" not in used]
        if unused:
            fail(f"nobody uses {unused}")


def read(path):
    try:
        return yaml.load(pathlib.Path(path).read_text(encoding="utf-8"), UniqueLoader)
    except yaml.YAMLError as error:
        fail(f"{path}: {error}")


def main(version, out, *paths):
    files = {pathlib.Path(path).stem: read(path) for path in sorted(paths)}
    document = Assembly(version, files).document()
    target = pathlib.Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


main(*sys.argv[1:])
