#!/usr/bin/env python3
"""The table of rows: what the source products say, and where it is shown that Rollcall does it.

A row is one statement of a product's page; rows.txt has them all, in our own words. Code and tests
call them by their numbers. Each test of this folder begins its docstring with the rows that it
proves. Beside the tests a file may say of rows, in two dictionaries:

    SCREENS = {"S0-02": "..."}      about a screen that is to come, with the API that will serve it
    DECISIONS = {"S1-10": "..."}    a gap of the page, with what was decided

    tests/systems/table.py          writes ROWS.md

The files are read, not run.
"""
import ast
import collections
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parent
TABLE = FOLDER / "ROWS.md"
ROW = r"S\d-\d\d"
CLAIM = re.compile(rf"({ROW}(?:, {ROW})*): ")
DICTIONARIES = {"SCREENS": "to come", "DECISIONS": "decided"}
HEAD = """# What the source products do, and where it is shown here

Written by `tests/systems/table.py` from the tests of this folder; do not edit. A row without a test
is about a screen that is to come, with the API that will serve it, or is a gap of the product's page
that needed a decision. Rows are called by these numbers everywhere in code and tests.
"""


def statements():
    """{row: statement}, and {product: its heading}, in the file's order."""
    rows, headings = {}, {}
    for line in (FOLDER / "rows.txt").read_text().splitlines():
        if line:
            name, text = line.split(" ", 1)
            found = rows if re.fullmatch(ROW, name) else headings
            assert name not in found, f"{name} stands twice in rows.txt"
            found[name] = text
    return rows, headings


def tests_of(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def rows_of(test):
    """The rows at the beginning of a test's docstring."""
    found = CLAIM.match(ast.get_docstring(test) or "")
    return found[1].split(", ") if found else []


def dictionary(tree, name):
    for node in tree.body:
        if isinstance(node, ast.Assign) and [target.id for target in node.targets if isinstance(target, ast.Name)] == [name]:
            return ast.literal_eval(node.value)
    return {}


def products():
    """{file: its syntax} of the acceptance files."""
    return {path.name: ast.parse(path.read_text()) for path in sorted(FOLDER.glob("test_*.py")) if path.name != "test_table.py"}


def coverage():
    """{row: where it is shown}, in the order of the files."""
    shown = collections.defaultdict(list)
    for file, tree in products().items():
        for test in tests_of(tree):
            for row in rows_of(test):
                shown[row].append(f"[`{test.name}`]({file})")
        for name, words in DICTIONARIES.items():
            for row, reason in dictionary(tree, name).items():
                shown[row].append(f"{words}: {reason}")
    return shown


def render():
    rows, headings = statements()
    shown = coverage()
    lines = [HEAD]
    for product, heading in headings.items():
        lines += [f"## {product} – {heading}", "", "| row | what it says | where it is shown |", "|---|---|---|"]
        lines += [f"| {row} | {text} | {'<br>'.join(shown[row])} |" for row, text in rows.items() if row.startswith(product)]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    TABLE.write_text(render())
