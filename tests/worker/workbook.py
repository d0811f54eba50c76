"""Workbooks as raw XML in a zip: right ones, and ones that no program would write."""
import functools
import io
import struct
import zipfile
from xml.sax.saxutils import escape

NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = 'xmlns="http://schemas.openxmlformats.org/package/2006/relationships"'
MIB = 1024 * 1024
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def relation(name, kind, target, more=""):
    return f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{target}"{more}/>'


def relations(*rows):
    return f"{DECLARATION}<Relationships {PACKAGE}>" + "".join(relation(*row) for row in rows) + "</Relationships>"


def sheet(rows, head=""):
    """`rows`: the XML of a sheet's rows."""
    return f"{DECLARATION}{head}<worksheet {NAMESPACE}><sheetData>{rows}</sheetData></worksheet>"


def strings(*texts):
    """Plain texts, or XML where it begins with a tag."""
    items = (text if text.startswith("<") else f'<t xml:space="preserve">{escape(text)}</t>' for text in texts)
    return f"{DECLARATION}<sst {NAMESPACE}>" + "".join(f"<si>{item}</si>" for item in items) + "</sst>"


def styles(*formats):
    """Cell styles 0, 1, ... each by a built-in format's id, or by the code of its own."""
    own = [code for code in formats if isinstance(code, str)]
    ids = [164 + own.index(code) if isinstance(code, str) else code for code in formats]
    return (f"{DECLARATION}<styleSheet {NAMESPACE}><numFmts>"
            + "".join(f'<numFmt numFmtId="{164 + at}" formatCode="{escape(code, {chr(34): "&quot;"})}"/>'
                      for at, code in enumerate(own))
            + '</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>'
            + "".join(f'<xf numFmtId="{number}"/>' for number in ids) + "</cellXfs></styleSheet>")


def parts(rows="", **changed):
    """What lies in a workbook, by name. Changed: by keyword, None leaves out."""
    made = {
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'{DECLARATION}<workbook {NAMESPACE} xmlns:r="{OFFICE}"><sheets>'
                           '<sheet name="People" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": relations(("rId1", "worksheet", "worksheets/sheet1.xml"),
                                                ("rId2", "sharedStrings", "sharedStrings.xml"),
                                                ("rId3", "styles", "styles.xml")),
        "xl/worksheets/sheet1.xml": sheet(rows),
    }
    names = {"package": "_rels/.rels", "book": "xl/workbook.xml", "relations": "xl/_rels/workbook.xml.rels",
             "sheet": "xl/worksheets/sheet1.xml", "strings": "xl/sharedStrings.xml", "styles": "xl/styles.xml"}
    for key, value in changed.items():
        made[names[key]] = value
    return {name: text for name, text in made.items() if text is not None}


def pack(made, method=zipfile.ZIP_DEFLATED):
    """Name → text, or bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, text in made.items():
            # zipfile mends names: these shall stay what they are.
            entry = zipfile.ZipInfo("x", (2024, 1, 1, 0, 0, 0))
            entry.filename, entry.compress_type = name, method
            archive.writestr(entry, text)
    return out.getvalue()


def workbook(rows="", **changed):
    return pack(parts(rows, **changed))


# -- hostile ones --

ONE = "<row><c><v>1</v></c></row>"
CELL = '<row><c t="inlineStr"><is><t>{}</t></is></c></row>'
LAUGHS = ('<!DOCTYPE x [<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]>")
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


def deep(levels):
    return "<row><c>" + "<x>" * levels + "</x>" * levels + "<v>1</v></c></row>"


def forged_size(content, part, size):
    """What a part says of its own unpacked size, in both places."""
    content = bytearray(content)
    for signature, size_at, name_at in ((b"PK\3\4", 22, 30), (b"PK\1\2", 24, 46)):
        at = content.index(part.encode()) if signature == b"PK\3\4" else content.rindex(part.encode())
        assert content[at - name_at:at - name_at + 4] == signature
        struct.pack_into("<I", content, at - name_at + size_at, size)
    return bytes(content)


def flagged(content, bit):
    """The same archive, all of whose parts have that bit in their flags."""
    content = bytearray(content)
    for signature, flags_at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + flags_at] |= bit
    return bytes(content)


@functools.cache
def bomb(rows=CELL.format("x")):
    return workbook(sheet=sheet(rows + " " * 256 * MIB))
