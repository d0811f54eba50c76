/* photo: what stays of a picture, what goes, and what is refused; part by part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define B(literal) literal, sizeof(literal) - 1

struct part {
	const char *head;	/* a chunk's type, or a segment's marker */
	const char *data;
	size_t length;
};

static uint32_t
crc_of(const char *bytes, size_t length)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < length; i++) {
		crc ^= (uint8_t)bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? 0xedb88320u ^ (crc >> 1) : crc >> 1;
	}
	return crc ^ 0xffffffffu;
}

static void
put_number(struct buffer *out, uint32_t number, int bytes)
{
	while (bytes-- > 0)
		buffer_putc(out, (char)(number >> (8 * bytes) & 0xff));
}

/* A list of chunks as a PNG; one with a mark in front, "!IDAT", has a wrong checksum. */
static void
make_png(struct buffer *out, const struct part *parts)
{
	buffer_append(out, B("\x89PNG\r\n\x1a\n"));
	for (; parts->head != NULL; parts++) {
		const bool is_wrong = parts->head[0] == '!';
		put_number(out, (uint32_t)parts->length, 4);
		const size_t start = out->length;
		buffer_append(out, parts->head + is_wrong, 4);
		buffer_append(out, parts->data, parts->length);
		put_number(out, crc_of(out->data + start, 4 + parts->length) ^ is_wrong, 4);
	}
}

/* A list of segments as a JPEG; what has no head stands there as it is. */
static void
make_jpeg(struct buffer *out, const struct part *parts)
{
	buffer_append(out, B("\xff\xd8"));
	for (; parts->head != NULL; parts++) {
		if (parts->head[0] == '\0') {
			buffer_append(out, parts->data, parts->length);
			continue;
		}
		buffer_append(out, parts->head, 2);
		put_number(out, (uint32_t)parts->length + 2, 2);
		buffer_append(out, parts->data, parts->length);
	}
}

#define HEADER(width, height, kind) { "IHDR", B(width height kind "\0\0\0") }
#define TRUE_COLOUR "\x08\x02"
#define GREY "\x08\x00"
#define PALETTE "\x02\x03"
#define TINY HEADER("\0\0\0\x03", "\0\0\0\x02", TRUE_COLOUR)
#define PIXELS { "IDAT", B("pixels") }
#define END { "IEND", "", 0 }

#define DQT { "\xff\xdb", B("\0" "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef") }
#define DHT { "\xff\xc4", B("\x10" "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" "\0") }
#define FRAME_OF(height, width) { "\xff\xc0", B("\x08" height width "\1" "\1\x11\0") }
#define FRAME FRAME_OF("\0\x08", "\0\x10")
#define SCAN { "\xff\xda", B("\1" "\1\0" "\0\x3f\0") }
#define RAW(bytes) { "", B(bytes) }
#define REST DQT, DHT, FRAME, SCAN, RAW("\x3f\xff\0\x12\xff\xd0\x7f"), RAW("\xff\xd9")

static const struct {
	const char *name;
	enum photo_type type;
	struct part given[10], kept[10];	/* nothing is kept: it is refused, ... */
	const char *because;			/* ... and the reason has this in it */
} cases[] = {
	{ "a PNG stays as it is", PHOTO_PNG, { TINY, PIXELS, PIXELS, END }, { TINY, PIXELS, PIXELS, END } },
	{ "palette and transparency stay", PHOTO_PNG,
		{ HEADER("\0\0\0\1", "\0\0\0\1", PALETTE), { "PLTE", B("rgbRGB") }, { "tRNS", B("\x80\xff") }, PIXELS, END },
		{ HEADER("\0\0\0\1", "\0\0\0\1", PALETTE), { "PLTE", B("rgbRGB") }, { "tRNS", B("\x80\xff") }, PIXELS, END } },
	{ "texts, times, profiles and Exif go", PHOTO_PNG,
		{ TINY, { "tEXt", B("a\0b") }, { "iCCP", B("x") }, { "eXIf", B("MM\0*") }, PIXELS, { "tIME", B("1234567") }, END, { "IDAT", B("more") } },
		{ TINY, PIXELS, END } },
	{ "a side may have 4096 pixels", PHOTO_PNG, { HEADER("\0\0\x10\0", "\0\0\x10\0", GREY), PIXELS, END },
		{ HEADER("\0\0\x10\0", "\0\0\x10\0", GREY), PIXELS, END } },
	{ "but not one more", PHOTO_PNG, { HEADER("\0\0\x10\1", "\0\0\0\1", GREY), PIXELS, END }, { { 0 } }, "larger" },
	{ "nor a great many", PHOTO_PNG, { HEADER("\0\0\0\1", "\xff\xff\xff\xff", GREY), PIXELS, END }, { { 0 } }, "larger" },
	{ "nor none", PHOTO_PNG, { HEADER("\0\0\0\0", "\0\0\0\1", GREY), PIXELS, END }, { { 0 } }, "no pixels" },
	{ "a checksum is looked at", PHOTO_PNG, { TINY, { "!IDAT", B("pixels") }, END }, { { 0 } }, "checksum" },
	{ "also of what would go", PHOTO_PNG, { TINY, { "!tEXt", B("a") }, PIXELS, END }, { { 0 } }, "checksum" },
	{ "a PNG without end", PHOTO_PNG, { TINY, PIXELS }, { { 0 } }, "too early" },
	{ "a PNG without pixels", PHOTO_PNG, { TINY, END }, { { 0 } }, "no pixels" },
	{ "a PNG without header", PHOTO_PNG, { { "tEXt", B("a") }, TINY, PIXELS, END }, { { 0 } }, "header" },
	{ "a PNG with two headers", PHOTO_PNG, { TINY, TINY, PIXELS, END }, { { 0 } }, "header" },
	{ "a chunk that must be understood", PHOTO_PNG, { TINY, { "ABCD", B("x") }, PIXELS, END }, { { 0 } }, "not known" },
	{ "pixels in two places", PHOTO_PNG, { TINY, PIXELS, { "tEXt", B("a") }, PIXELS, END }, { { 0 } }, "out of place" },
	{ "a palette behind the pixels", PHOTO_PNG, { TINY, PIXELS, { "PLTE", B("rgb") }, END }, { { 0 } }, "palette" },
	{ "a palette for grey", PHOTO_PNG, { HEADER("\0\0\0\1", "\0\0\0\1", GREY), { "PLTE", B("rgb") }, PIXELS, END }, { { 0 } }, "palette" },
	{ "a palette with more colours than its depth", PHOTO_PNG,
		{ HEADER("\0\0\0\1", "\0\0\0\1", PALETTE), { "PLTE", B("rgbrgbrgbrgbrgb") }, PIXELS, END }, { { 0 } }, "palette" },
	{ "more transparency than colours", PHOTO_PNG,
		{ HEADER("\0\0\0\1", "\0\0\0\1", PALETTE), { "PLTE", B("rgb") }, { "tRNS", B("12") }, PIXELS, END }, { { 0 } }, "transparency" },

	{ "a JPEG stays as it is", PHOTO_JPEG, { REST }, { REST } },
	{ "JFIF loses its thumbnail", PHOTO_JPEG, { { "\xff\xe0", B("JFIF\0\1\2\1\0\x48\0\x48\1\1xyz") }, REST },
		{ { "\xff\xe0", B("JFIF\0\1\2\1\0\x48\0\x48\0\0") }, REST } },
	{ "a second JFIF and its extension go", PHOTO_JPEG,
		{ { "\xff\xe0", B("JFIF\0\1\2\1\0\x48\0\x48\0\0") }, { "\xff\xe0", B("JFIF\0\1\2\1\0\x48\0\x48\0\0") }, { "\xff\xe0", B("JFXX\0\x10xyz") }, REST },
		{ { "\xff\xe0", B("JFIF\0\1\2\1\0\x48\0\x48\0\0") }, REST } },
	{ "of Exif the orientation stays", PHOTO_JPEG,
		{ { "\xff\xe1", B("Exif\0\0II*\0\x08\0\0\0\2\0" "\x0f\1\2\0\4\0\0\0Cam\0" "\x12\1\3\0\1\0\0\0\6\0\0\0" "\0\0\0\0GPS") }, REST },
		{ { "\xff\xe1", B("Exif\0\0MM\0*\0\0\0\x08\0\1" "\1\x12\0\3\0\0\0\1\0\6\0\0" "\0\0\0\0") }, REST } },
	{ "but not that it is upright", PHOTO_JPEG,
		{ { "\xff\xe1", B("Exif\0\0MM\0*\0\0\0\x08\0\1" "\1\x12\0\3\0\0\0\1\0\1\0\0" "\0\0\0\0") }, REST }, { REST } },
	{ "nor one that there is not", PHOTO_JPEG,
		{ { "\xff\xe1", B("Exif\0\0MM\0*\0\0\0\x08\0\1" "\1\x12\0\3\0\0\0\1\0\x09\0\0" "\0\0\0\0") }, REST }, { REST } },
	{ "a directory that lies about its length goes", PHOTO_JPEG,
		{ { "\xff\xe1", B("Exif\0\0MM\0*\0\0\0\x08\xff\xff" "\1\x0f\0\3") }, { "\xff\xe1", B("Exif\0\0MM\0*\xff\xff\xff\xff") }, { "\xff\xe1", B("Exif\0\0") }, REST },
		{ REST } },
	{ "of Adobe's the colours stay", PHOTO_JPEG, { { "\xff\xee", B("Adobe\0\x65" "abcd\2more") }, REST },
		{ { "\xff\xee", B("Adobe\0\x64\0\0\0\0\2") }, REST } },
	{ "comments, profiles and what is behind the end go", PHOTO_JPEG,
		{ { "\xff\xfe", B("hello") }, { "\xff\xe2", B("ICC_PROFILE\0") }, { "\xff\xed", B("Photoshop") }, REST, RAW("PK\3\4") }, { REST } },
	{ "FF may be repeated before a marker", PHOTO_JPEG, { RAW("\xff\xff"), REST }, { REST } },
	{ "a JPEG may have 4096 pixels a side", PHOTO_JPEG,
		{ FRAME_OF("\x10\0", "\x10\0"), SCAN, RAW("\x3f\xff\xd9") }, { FRAME_OF("\x10\0", "\x10\0"), SCAN, RAW("\x3f\xff\xd9") } },
	{ "but a JPEG has not one more", PHOTO_JPEG, { FRAME_OF("\x10\1", "\0\1"), SCAN, RAW("\x3f\xff\xd9") }, { { 0 } }, "larger" },
	{ "its height is said in the frame", PHOTO_JPEG, { FRAME_OF("\0\0", "\0\1"), SCAN, RAW("\x3f\xff\xd9") }, { { 0 } }, "no pixels" },
	{ "a scan before the frame", PHOTO_JPEG, { DQT, SCAN, RAW("\x3f\xff\xd9") }, { { 0 } }, "scan" },
	{ "a scan of a component that the frame lacks", PHOTO_JPEG, { FRAME, { "\xff\xda", B("\1\7\0\0\x3f\0") }, RAW("\x3f\xff\xd9") }, { { 0 } }, "scan" },
	{ "a scan without data", PHOTO_JPEG, { FRAME, SCAN, RAW("\xff\xd9") }, { { 0 } }, "empty" },
	{ "a JPEG without scans", PHOTO_JPEG, { FRAME, RAW("\xff\xd9") }, { { 0 } }, "no pixels" },
	{ "a JPEG without end", PHOTO_JPEG, { FRAME, SCAN, RAW("\x3f\x3f") }, { { 0 } }, "too early" },
	{ "a JPEG that ends in FF", PHOTO_JPEG, { FRAME, SCAN, RAW("\x3f\xff") }, { { 0 } }, "too early" },
	{ "two frames", PHOTO_JPEG, { FRAME, FRAME, SCAN, RAW("\x3f\xff\xd9") }, { { 0 } }, "header" },
	{ "two components of one name", PHOTO_JPEG, { { "\xff\xc0", B("\x08\0\1\0\1\2" "\1\x11\0" "\1\x11\0") }, SCAN }, { { 0 } }, "header" },
	{ "twelve bits", PHOTO_JPEG, { { "\xff\xc1", B("\x0c\0\1\0\1\1" "\1\x11\0") }, SCAN }, { { 0 } }, "8 bits" },
	{ "arithmetic coding", PHOTO_JPEG, { { "\xff\xc9", B("\x08\0\1\0\1\1" "\1\x11\0") }, SCAN }, { { 0 } }, "not known" },
	{ "a picture within", PHOTO_JPEG, { FRAME, SCAN, RAW("\x3f\xff\xd8\xff\xd9") }, { { 0 } }, "too early" },
	{ "a table that is too long", PHOTO_JPEG, { { "\xff\xdb", B("\0" "0123456789") } , REST }, { { 0 } }, "table" },
	{ "a table of codes that is too short", PHOTO_JPEG, { { "\xff\xc4", B("\0" "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff" "\0") }, REST }, { { 0 } }, "table" },
};

static void
pictures_are_cleaned_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		void (*const make)(struct buffer *, const struct part *) = cases[i].type == PHOTO_PNG ? make_png : make_jpeg;
		struct buffer given = BUFFER_INIT, kept = BUFFER_INIT, cleaned = BUFFER_INIT;
		struct photo photo;

		print_message("  %s\n", cases[i].name);
		make(&given, cases[i].given);
		make(&kept, cases[i].kept);
		const char *fault = photo_clean((const uint8_t *)given.data, given.length, &cleaned, &photo);
		assert_int_equal(photo.type, cases[i].type);
		if (cases[i].because != NULL) {
			assert_non_null(fault);
			assert_non_null(strstr(fault, cases[i].because));
		} else {
			assert_null(fault);
			assert_int_equal(cleaned.length, kept.length);
			assert_memory_equal(cleaned.data, kept.data, kept.length);
		}
		buffer_free(&given);
		buffer_free(&kept);
		buffer_free(&cleaned);
	}
}

/* However short: no byte behind the end is read (the sanitizers see to that). */
static void
no_beginning_of_a_picture_is_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buffer given = BUFFER_INIT, cleaned = BUFFER_INIT;
		struct photo photo;

		if (cases[i].because != NULL)
			continue;
		(cases[i].type == PHOTO_PNG ? make_png : make_jpeg)(&given, cases[i].kept);
		for (size_t length = 0; length < given.length; length++) {
			uint8_t *exact = malloc(length > 0 ? length : 1);
			memcpy(exact, given.data, length);
			buffer_clear(&cleaned);
			assert_non_null(photo_clean(exact, length, &cleaned, &photo));
			free(exact);
		}
		buffer_free(&given);
		buffer_free(&cleaned);
	}
}

static void
other_formats_are_none_of_ours(void **state)
{
	static const struct { const char *bytes; size_t length; } others[] = {
		{ B("") }, { B("GIF89a") }, { B("PK\3\4") }, { B("<svg/>") }, { B("\x89PNG\n") }, { B("\xff\xd8") }, { B("RIFF") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		struct buffer out = BUFFER_INIT;
		struct photo photo;

		assert_int_equal(photo_type_of((const uint8_t *)others[i].bytes, others[i].length), PHOTO_NONE);
		assert_non_null(photo_clean((const uint8_t *)others[i].bytes, others[i].length, &out, &photo));
		assert_int_equal(out.length, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pictures_are_cleaned_or_refused),
		cmocka_unit_test(no_beginning_of_a_picture_is_one),
		cmocka_unit_test(other_formats_are_none_of_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
