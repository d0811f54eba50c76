"""Small pictures, made byte by byte: what a camera, an editor or an attacker would send."""
import struct
import zlib

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind, data=b"", crc=None):
    kind = kind.encode()
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def png_header(width, height, depth=8, colour=2, packing=b"\0\0\0"):
    return chunk("IHDR", struct.pack(">IIBB", width, height, depth, colour) + packing)


def png(width=3, height=2, before=b"", after=b"", trailer=b"", colour=2, pixel=b"\x10\x80\xf0"):
    """True colour unless told otherwise; `before` and `after` are chunks around the pixels."""
    rows = b"".join(b"\0" + pixel * width for _ in range(height))
    return PNG_SIGNATURE + png_header(width, height, colour=colour) + before + chunk("IDAT", zlib.compress(rows, 9)) + after + chunk("IEND") + trailer


def png_palette(transparency=True):
    palette = chunk("PLTE", bytes(range(12))) + (chunk("tRNS", b"\x80\xff") if transparency else b"")
    return png(colour=3, before=palette, pixel=b"\1")


def png_chunks(data):
    """The kinds of its chunks, in their order."""
    kinds, at = [], len(PNG_SIGNATURE)
    while at < len(data):
        length = struct.unpack(">I", data[at:at + 4])[0]
        kinds.append(data[at + 4:at + 8].decode())
        at += 12 + length
    return kinds


def segment(marker, data=b""):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


JFIF = segment(0xE0, b"JFIF\0\1\2\1\0\x48\0\x48\1\1" + b"\xaa\xbb\xcc")     # with a thumbnail of one pixel
COMMENT = segment(0xFE, b"made at home")
ICC = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(20))
ADOBE = segment(0xEE, b"Adobe\0\x64\x80\0\0\0\1")
EOI = b"\xff\xd9"


def exif(orientation, order=">", extra=True):
    """As a phone writes it: with a maker, an orientation and a place."""
    entries = [(0x010F, 2, 4, b"Cam\0"), (0x0112, 3, 1, struct.pack(order + "H", orientation) + b"\0\0")]
    if extra:
        entries.append((0x8825, 4, 1, struct.pack(order + "I", 0x1234)))    # GPS
    tiff = (b"MM" if order == ">" else b"II") + struct.pack(order + "HI", 42, 8) + struct.pack(order + "H", len(entries))
    tiff += b"".join(struct.pack(order + "HHI", tag, kind, count) + value for tag, kind, count, value in entries)
    return segment(0xE1, b"Exif\0\0" + tiff + bytes(4) + b"GPS 50.4501 N 30.5234 E")


def orientation_of(data):
    """Of a cleaned picture: its orientation, None when it says none."""
    at = data.find(b"Exif\0\0")
    return None if at < 0 else data[at + 6 + 8 + 2 + 9]


def jpeg(width=8, height=8, before=JFIF, trailer=b"", frame=0xC0, scans=1, end=EOI):
    """Grey. Up to 8 by 8 a decoder really gets pixels; what is larger, only claims to be."""
    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\0" + b"\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\0")
    header = segment(frame, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    scan = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x3f"
    return b"\xff\xd8" + before + tables + header + scan * scans + end + trailer


def jpeg_segments(data):
    """The markers before the first scan's data, in their order."""
    markers, at = [], 2
    while data[at + 1] != 0xDA:
        markers.append(data[at + 1])
        at += 2 + struct.unpack(">H", data[at + 2:at + 4])[0]
    return markers


# What is refused: what it is, its bytes, and the status that answers it.
NO_PHOTOS = {
    "nothing at all": (b"", 422),
    "a zip": (b"PK\x03\x04" + bytes(40), 415),
    "an SVG": (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 415),
    "a GIF": (b"GIF89a\1\0\1\0\0\0\0;", 415),
    "a WebP": (b"RIFF\x1a\0\0\0WEBPVP8 ", 415),
    "text": (b"not a picture", 415),
    "the beginning of a signature": (PNG_SIGNATURE[:5], 415),
    "a PNG's signature alone": (PNG_SIGNATURE, 422),
    "a PNG cut off in its pixels": (png()[:-20], 422),
    "a PNG without its end": (png()[:-12], 422),
    "a PNG with a wrong checksum": (png(before=chunk("tEXt", b"a\0b", crc=1)), 422),
    "a PNG with a flipped bit": (png()[:45] + bytes([png()[45] ^ 1]) + png()[46:], 422),
    "a PNG without pixels": (PNG_SIGNATURE + png_header(3, 2) + chunk("IEND"), 422),
    "a PNG that begins with its palette": (PNG_SIGNATURE + chunk("PLTE", bytes(3)) + png()[8:], 422),
    "a PNG with pixels in two places": (png(after=chunk("tIME", bytes(7)) + chunk("IDAT", b"x")), 422),
    "a PNG with a part nobody knows": (png(before=chunk("CgBI", bytes(4))), 422),
    "a PNG of a palette it lacks": (png(colour=3, pixel=b"\1"), 422),
    "a PNG with two headers": (png(before=png_header(3, 2)), 422),
    "a PNG of odd colours": (PNG_SIGNATURE + png_header(3, 2, depth=7) + png()[33:], 422),
    "a PNG one pixel too wide": (PNG_SIGNATURE + png_header(4097, 1) + png()[33:], 422),
    "a PNG without width": (PNG_SIGNATURE + png_header(0, 1) + png()[33:], 422),
    # A kilobyte that would be ten gigabytes: nothing is unpacked, the size that it claims is enough.
    "a decompression bomb": (PNG_SIGNATURE + png_header(60000, 60000) + chunk("IDAT", zlib.compress(bytes(900000), 9)) + chunk("IEND"), 422),
    "a JPEG's signature alone": (b"\xff\xd8\xff", 422),
    "a JPEG cut off in its pixels": (jpeg(end=b""), 422),
    "a JPEG cut off in a table": (jpeg()[:40], 422),
    "a JPEG without pixels": (jpeg(scans=0), 422),
    "a JPEG one pixel too high": (jpeg(height=4097), 422),
    "a JPEG without height": (jpeg(height=0), 422),
    "a JPEG with another in front of its end": (jpeg(end=b"\xff\xd8\xff\xe0\0\2" + EOI), 422),
    "a JPEG with arithmetic coding": (jpeg(frame=0xC9), 422),
    "a JPEG with a table too long": (jpeg(before=segment(0xDB, b"\0" + bytes(70))), 422),
    "a JPEG of a thousand scans": (jpeg(scans=1000), 422),
}
PHOTOS = {
    "a PNG": png(), "a PNG of grey": png(colour=0, pixel=b"\x7f"), "a PNG with a palette": png_palette(),
    "a PNG with everything": png(before=chunk("gAMA", bytes(4)) + chunk("eXIf", b"MM\0*GPS"), after=chunk("tEXt", b"Author\0Ada"), trailer=b"<script>"),
    "a JPEG": jpeg(), "a progressive JPEG": jpeg(frame=0xC2, scans=3),
    "a JPEG with everything": jpeg(before=JFIF + exif(6) + ICC + COMMENT + ADOBE, trailer=b"PK\3\4<script>"),
    "a JPEG of a little endian": jpeg(before=exif(8, "<")),
}
