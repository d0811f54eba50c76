"""The file parser, through its child: what CSV and XLSX files say, and what becomes of hostile ones."""
import codecs
import csv
import io
import json
import os
import random
import subprocess
import zipfile

import pytest

from probe import PROGRAM as MAILER_PROBE
from workbook import (CELL, DECLARATION, EXTERNAL, LAUGHS, MIB, OFFICE, ONE, bomb, deep, flagged, forged_size, pack, parts, relations, sheet,
                      strings, styles, workbook)

PROBE = MAILER_PROBE.parent / "parser_probe"


class Parsed:
    def __init__(self, output):
        *rows, self.end = map(json.loads, output.decode().splitlines())
        self.numbers = [number for number, _ in rows]
        self.rows = [cells for _, cells in rows]

    @property
    def fault(self):
        return self.end["fault"], self.end["row"], self.end["column"]


def parse(content, *arguments):
    finished = subprocess.run([PROBE, *arguments], input=content, capture_output=True, timeout=100, check=True,
                              env={"PATH": os.environ["PATH"], "ROLLCALL_SECRET": "not-for-children"})
    return Parsed(finished.stdout)


def rows_of(content, *arguments):
    parsed = parse(content, *arguments)
    assert parsed.end["fault"] == "none", parsed.end
    return parsed.rows


# -- CSV --

TABLE = [["email", "ім'я", "note"], ["a@test.example", "Олена, \"Оля\"", "two\nlines"], ["", " blanks ", ";\t"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding, charset", [
    ("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")])
def test_what_pythons_csv_writes_is_read_back(delimiter, line_end, encoding, charset):
    text = io.StringIO()
    # Python leaves the other line end unquoted.
    quoting = csv.QUOTE_ALL if line_end == "\r" else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting).writerows(TABLE)
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    parsed = parse(mark + text.getvalue().encode(encoding))
    assert parsed.rows == TABLE
    assert parsed.numbers == [1, 2, 3]
    said = {"format": "csv", "charset": charset, "is_guess": False, "sure": 100, "delimiter": delimiter}
    assert {name: parsed.end[name] for name in said} == said


def test_empty_rows_are_left_out_but_counted():
    parsed = parse(b"\r\n\r\na;b\r\n;\r\n\r\n1;2")
    assert parsed.rows == [["a", "b"], ["1", "2"]]
    assert parsed.numbers == [3, 6]


@pytest.mark.parametrize("text, encoding", [
    ("ім'я;прізвище\nОлена;Ковальчук\nЇжак;Ґанок\n", "windows-1251"),
    ("имя;фамилия\nПётр;Щукин\n", "windows-1251"),
    ("Vorname;Nachname\nJürgen;Größe\nRené;Façade\nSøren;Ångström\n", "windows-1252"),
])
def test_a_windows_charset_is_guessed_and_the_guess_is_shown(text, encoding):
    parsed = parse(text.encode(encoding))
    assert parsed.rows == list(csv.reader(io.StringIO(text), delimiter=";"))
    assert (parsed.end["charset"], parsed.end["is_guess"]) == (encoding, True)
    assert 80 <= parsed.end["sure"] <= 99


@pytest.mark.parametrize("charset", ["windows-1251", "windows-1252"])
def test_a_named_charset_decides_and_every_byte_is_as_python_has_it(charset):
    undefined = []
    known = []
    for byte in range(0x80, 0x100):
        try:
            known.append((byte, bytes([byte]).decode(charset)))
        except UnicodeDecodeError:
            undefined.append(byte)
    parsed = parse(b"\n".join(b"x%c" % byte for byte, _ in known), f"charset={charset}")
    assert [row[0][1:] for row in parsed.rows] == [character for _, character in known]
    assert (parsed.end["charset"], parsed.end["is_guess"]) == (charset, False)
    for byte in undefined:
        assert parse(b"a,b\nc,d%ce" % byte, f"charset={charset}").fault == ("bad_text", 2, 2)


FAULTY = {
    "nothing": (b"", ("empty", 0, 0)),
    "nothing in any row": (b"\n\n;;\n", ("empty", 0, 0)),
    "a byte order mark alone": (b"\xef\xbb\xbf", ("empty", 0, 0)),
    "NUL": (b"a,b\nc,\x00d\n", ("nul", 2, 2)),
    "UTF-16 without its mark": ("ab\ncd".encode("utf-16-le") * 100, ("binary", 0, 0)),
    "unbalanced quotes": (b'a,b\n1,2\n3,"4\n5,6\n', ("quote_unclosed", 3, 2)),
    "more behind a quoted cell": (b'a,b\n1,"2"3\n', ("quote_stray", 2, 2)),
    "a quotation mark inside a cell": (b'a,b\n1,2" pipe\n', ("quote_stray", 2, 2)),
    "what is not in the charset": (b"a\xff\n", ("bad_text", 1, 1), "charset=utf-8"),
    "half a surrogate": (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"\x00\xd8", ("bad_text", 2, 1)),
    "half a character": (codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"c", ("bad_text", 2, 1)),
    "an unknown charset": (b"a", ("charset_unknown", 0, 0), "charset=koi8-r"),
    "10 MiB without a line end": (b"x" * 10 * MIB, ("no_line_end", 1, 1)),
    "a long cell": (b"a\n" + b"x" * 100000 + b"\n", ("cell_too_long", 2, 1)),
    "a quoted cell of 30 MiB": (b'a,b\n1,"' + b"x\n" * 15 * MIB + b'"', ("cell_too_long", 2, 2)),
    "1,000,000 columns": (b"," * 1000000 + b"\n", ("too_many_columns", 1, 257)),
    "1,000,001 rows": (b"a\n" * 1000001, ("too_many_rows", 1000001, 0)),
    "more than 32 MiB": (b"a\n" * (16 * MIB + 1), ("too_large", 0, 0)),
    "a PDF": (b"%PDF-1.7\nabc\n", ("binary", 0, 0)),
    "a workbook of the old kind": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000), ("old_workbook", 0, 0)),
    "binary noise": (random.Random(4).randbytes(100000), ("binary", 0, 0)),
}


@pytest.mark.parametrize("name", FAULTY)
def test_what_is_wrong_with_a_csv_file_is_named_with_its_place(name):
    content, fault, *arguments = FAULTY[name]
    assert parse(content, "count", *arguments).fault == fault


def test_the_limits_themselves_are_within():
    assert rows_of(b"x" * 32768 + b"," * 255 + b"\n")[0] == ["x" * 32768] + [""] * 255
    assert parse(b"a\n" * 1000000, "count").end["rows"] == 1000000


def test_a_fault_is_said_in_a_sentence():
    assert parse(b'a\n"b').end["says"] == "Row 2, column 1: the quotation mark that opens the cell is never closed: close it behind the cell."


# -- XLSX --

def test_texts_of_every_kind_are_read_and_gaps_are_empty_cells():
    made = workbook('<row r="2"><c r="A2" t="s"><v>1</v></c><c r="C2" t="inlineStr"><is><r><t>in</t></r>'
                    '<r><t>line</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is></c><c r="E2" s="1"/></row>'
                    '<row r="3"><c r="A3"/></row>'
                    '<row><c t="s"><v>2</v></c><c t="str"><f>A1</f><v>by formula</v></c></row>',
                    strings=strings("", "Олена & co", "<r><t>rich </t></r><r><t>text_x000D_</t></r>"
                                                            "<rPh><t>no</t></rPh>"))
    parsed = parse(made)
    assert parsed.rows == [["Олена & co", "", "inline"], ["rich text\r", "by formula"]]
    assert parsed.numbers == [2, 4]
    assert (parsed.end["format"], parsed.end["delimiter"]) == ("xlsx", "")


FORMATS = [0, 14, "dd.mm.yyyy", "yyyy-mm-dd hh:mm", 20, '"day" 0', "[h]:mm", "[Red]0.00", "mmm", "\\d0"]


@pytest.mark.parametrize("style, stored, shown", [
    (0, "380501234567", "380501234567"), (0, "3.80501234567E11", "380501234567"), (0, "1.0E5", "100000"),
    (0, "100000.0", "100000"), (0, "1.1000000000000001", "1.1"), (0, "0.30000000000000004", "0.3"),
    (0, "1.5E-3", "0.0015"), (0, "-12.50", "-12.5"), (0, "-0", "0"), (0, "007", "7"), (0, "0", "0"),
    (0, "12345678901234567890", "12345678901234567890"), (0, "1E300", "1E300"), (0, "1E-300", "1E-300"),
    (0, "nonsense", "nonsense"), (0, "1E", "1E"), (0, "0." + "0" * 40 + "1E-20", "0." + "0" * 40 + "1E-20"),
    (1, "45351", "2024-02-29"), (2, "1", "1900-01-01"), (2, "59", "1900-02-28"), (2, "61", "1900-03-01"),
    (2, "2958465", "9999-12-31"), (2, "2958466", "2958466"), (2, "-1", "-1"), (1, "45351.75", "2024-02-29"),
    (3, "45351.395833333336", "2024-02-29T09:30:00"), (3, "45351", "2024-02-29"), (3, "45350.999999", "2024-02-29"),
    (4, "0.5", "12:00:00"), (4, "0", "00:00:00"), (5, "7", "7"), (6, "0.25", "06:00:00"), (6, "30.5", "30.5"),
    (7, "7", "7"), (8, "45351", "2024-02-29"), (9, "7", "7"), (99, "7", "7"),
])
def test_numbers_are_digits_and_days_are_days(style, stored, shown):
    assert rows_of(workbook(f'<row><c s="{style}"><v>{stored}</v></c></row>', styles=styles(*FORMATS))) == [[shown]]


def test_days_may_be_counted_from_1904():
    book = parts()["xl/workbook.xml"].replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    assert rows_of(workbook('<row><c s="1"><v>43889</v></c></row>', book=book, styles=styles(0, 14))) == [["2024-02-29"]]


def test_truths_errors_and_formulas_are_what_the_file_holds_for_them():
    row = ('<row><c t="b"><v>1</v></c><c t="b"><v>0</v></c><c t="e"><f>1/0</f><v>#DIV/0!</v></c>'
           '<c><f>cmd|calc!A1</f></c><c><f>1+1</f><v>2</v></c><c t="str"><f>""</f><v></v></c><c t="d"><v>2024-02-29</v></c></row>')
    assert rows_of(workbook(row)) == [["true", "false", {"error": "#DIV/0!"}, {"no_value": ""}, "2", "", "2024-02-29"]]


def test_the_first_sheet_that_is_shown_is_found_by_its_relation():
    book = (f'{DECLARATION}<x:workbook xmlns:x="urn:x" xmlns:r="{OFFICE}"><x:sheets>'
            '<x:sheet name="h" state="hidden" r:id="a"/><x:sheet name="s" r:id="b"/><x:sheet name="t" r:id="a"/>'
            "</x:sheets></x:workbook>")
    made = parts(book=book, sheet=None, relations=relations(("a", "worksheet", "no.xml"), ("b", "worksheet", "/Data/./x/../Two.xml")))
    assert rows_of(pack({**made, "data/two.xml": sheet("<row><c><v>2</v></c></row>")})) == [["2"]]


HOSTILE = {
    "a zip bomb": (bomb, ("inflates", 0, 0)),
    "a zip bomb that lies about its size": (
        lambda: forged_size(bomb(), "xl/worksheets/sheet1.xml", 100), ("inflates", 1, 0)),
    "many small bombs": (lambda: pack({**parts(ONE), **{f"x{i}": bytes(30 * MIB) for i in range(9)}}), ("inflates", 0, 0)),
    "one long text in a million cells": (
        lambda: workbook(("<row>" + '<c t="s"><v>0</v></c>' * 256 + "</row>") * 40, strings=strings("x" * 32768)),
        ("inflates", 33, 1)),
    "a nested zip": (lambda: pack({"people.xlsx": workbook(ONE)}), ("archive_nested", 0, 0)),
    "a zip as the sheet": (lambda: workbook(sheet=workbook(ONE)), ("archive_nested", 0, 0)),
    "1,000,000 columns": (lambda: workbook('<row r="1"><c r="BDWGN1"><v>1</v></c></row>'), ("too_many_columns", 1, 257)),
    "1,000,000 columns one by one": (lambda: workbook("<row>" + "<c><v>1</v></c>" * 1000000 + "</row>"), ("too_many_columns", 1, 257)),
    "a cell of 100 MiB": (lambda: workbook(CELL.format("x" * 100 * MIB)), ("cell_too_long", 1, 1)),
    "a shared text of 100 MiB": (
        lambda: workbook('<row><c><v>1</v></c><c t="s"><v>1</v></c></row>', strings=strings("a", "x" * 100 * MIB)),
        ("cell_too_long", 1, 2)),
    "an attribute of 100 MiB": (lambda: workbook(f'<row a="{"x" * 100 * MIB}"/>'), ("token_too_long", 0, 0)),
    "external entities": (lambda: workbook(sheet=sheet(CELL.format("&a;"), EXTERNAL)), ("doctype", 0, 0)),
    "a billion laughs": (lambda: workbook(sheet=sheet(CELL.format("&j;"), LAUGHS)), ("doctype", 0, 0)),
    "laughs among the texts": (lambda: workbook(ONE, strings=strings("a").replace("<sst", LAUGHS + "<sst")), ("doctype", 0, 0)),
    "an entity nobody declared": (lambda: workbook(CELL.format("&a;")), ("xml", 1, 0)),
    "two million nested tags": (lambda: workbook(deep(2000000)), ("depth", 1, 0)),
    "a part outside of the archive": (lambda: pack({**parts(ONE), "../../etc/cron.d/x": "x"}), ("archive_path", 0, 0)),
    "a part at the root": (lambda: pack({**parts(ONE), "/etc/cron.d/x": "x"}), ("archive_path", 0, 0)),
    "a part outside of Windows' archive": (lambda: pack({**parts(ONE), "xl\\..\\..\\x": "x"}), ("archive_path", 0, 0)),
    "a relation that leads outside": (
        lambda: workbook(ONE, relations=relations(("rId1", "worksheet", "../../../etc/passwd"))), ("archive_path", 0, 0)),
    "an external sheet": (
        lambda: workbook(ONE, relations=relations(("rId1", "worksheet", "http://127.0.0.1/x", ' TargetMode="External"'))),
        ("archive_path", 0, 0)),
    "too many parts": (lambda: pack({**parts(ONE), **{f"x{i}": "" for i in range(300)}}), ("archive_parts", 0, 0)),
    "a truncated archive": (lambda: workbook(ONE)[:-100], ("archive_broken", 0, 0)),
    "an archive cut off after its first bytes": (lambda: b"PK\3\4", ("archive_broken", 0, 0)),
    "an archive with a hole": (
        lambda: workbook(ONE).replace(b"xl/worksheets/sheet1.xml", b"xl/worksheets/sheet9.xml", 1), ("archive_broken", 0, 0)),
    "an archive of bzip2": (lambda: pack(parts(ONE), zipfile.ZIP_BZIP2), ("archive_method", 0, 0)),
    "an encrypted archive": (lambda: flagged(workbook(ONE), 1), ("encrypted", 0, 0)),
    "an empty archive": (lambda: pack({}), ("not_a_workbook", 0, 0)),
    "an archive of something else": (lambda: pack({"content.xml": "<x/>", "mimetype": "ods"}), ("not_a_workbook", 0, 0)),
    "no sheet": (lambda: workbook(sheet=None), ("workbook_broken", 0, 0)),
    "no relations": (lambda: workbook(ONE, relations=None), ("workbook_broken", 0, 0)),
    "an empty sheet": (lambda: workbook(""), ("empty", 0, 0)),
    "XML cut off": (lambda: workbook(sheet=sheet(ONE)[:-20]), ("xml", 1, 0)),
    "noise for XML": (lambda: workbook(sheet=random.Random(4).randbytes(5000)), ("xml", 0, 0)),
    "a text that is not there": (lambda: workbook('<row><c t="s"><v>7</v></c></row>', strings=strings("a")), ("string_missing", 1, 1)),
    "a text before the first": (lambda: workbook('<row><c t="s"><v>-1</v></c></row>', strings=strings("a")), ("string_missing", 1, 1)),
    "NUL in a text": (lambda: workbook(CELL.format("a&#0;b")), ("xml", 1, 0)),
    "rows out of order": (lambda: workbook('<row r="2"/><row r="1"/>'), ("workbook_broken", 2, 0)),
    "cells out of order": (lambda: workbook('<row><c r="B1"/><c r="A1"/></row>'), ("workbook_broken", 1, 2)),
    "a row past the last": (lambda: workbook('<row r="1000001"><c><v>1</v></c></row>'), ("too_many_rows", 1000001, 0)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_gets_its_own_clear_answer(name):
    make, fault = HOSTILE[name]
    assert parse(make(), "count").fault == fault


def test_an_archive_that_was_written_as_a_stream_is_one():
    """As LibreOffice and web services do: sizes stand behind the parts, not before them."""
    class Stream(io.RawIOBase):
        content = b""

        def writable(self):
            return True

        def write(self, piece):
            self.content += bytes(piece)
            return len(piece)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts(ONE).items():
            archive.writestr(name, text)
    assert rows_of(stream.content) == [["1"]]


def test_depth_and_blanks_within_the_limits_are_none():
    assert rows_of(workbook(deep(60))) == [["1"]]


def test_content_decides_and_not_the_name():
    """Nobody asks for a name: CSV in an .xlsx, and the other way round, are what they are."""
    assert parse(b"PK,b\n1,2\n").end["format"] == "csv"
    assert parse(workbook(ONE), "charset=windows-1251").end["format"] == "xlsx"


# -- the child --

def test_a_child_gets_its_memory_and_its_time_and_no_more():
    people = b"a,b\n" * (8 * MIB - 1)
    assert parse(people, "count", f"memory_bytes={24 * MIB}").fault == ("memory", 0, 0)
    assert parse(people, "count", "deadline_ms=1").fault == ("deadline", 0, 0)


def test_who_has_enough_gets_no_more_rows():
    parsed = parse(b"a,b\n" * MIB, "stop_after=3")
    assert (parsed.fault, parsed.end["rows"]) == (("stopped", 0, 0), 3)


def test_a_file_of_32_mib_takes_less_than_64():
    """DESIGN.md §10. Under the sanitizers memory means something else."""
    parsed = parse(b"olena@test.example,%s\n" % (b"x" * 100) * (32 * MIB // 121), "count")
    assert parsed.fault[0] == "none"
    assert parsed.end["child_kib"] < 64 * 1024 or "debug" in str(PROBE)
