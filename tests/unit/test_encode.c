/* encode: the vectors of RFC 4648 §10, and one spelling for each value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "encode.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *plain, *base64, *base64url, *hex;
} vectors[] = {
	{ "", "", "", "" },
	{ "f", "Zg==", "Zg", "66" },
	{ "fo", "Zm8=", "Zm8", "666f" },
	{ "foo", "Zm9v", "Zm9v", "666f6f" },
	{ "foob", "Zm9vYg==", "Zm9vYg", "666f6f62" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE", "666f6f6261" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy", "666f6f626172" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_", "fbffbf" },
};

static void
texts_are_as_the_rfc_spells_them(void **state)
{
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		const uint8_t *bytes = (const uint8_t *)vectors[i].plain;
		size_t length = strlen(vectors[i].plain);

		base64_encode(bytes, length, text);
		assert_string_equal(text, vectors[i].base64);
		base64url_encode(bytes, length, text);
		assert_string_equal(text, vectors[i].base64url);
		assert_int_equal(strlen(text) + 1, BASE64URL_SIZE(length));
		hex_encode(bytes, length, text);
		assert_string_equal(text, vectors[i].hex);
		assert_int_equal(strlen(text) + 1, HEX_SIZE(length));
	}
}

static void
what_was_encoded_decodes_to_itself(void **state)
{
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
		size_t length = strlen(vectors[i].plain);

		assert_int_equal(base64_decode(vectors[i].base64, bytes, length), length);
		assert_memory_equal(bytes, vectors[i].plain, length);
		assert_true(base64url_decode(vectors[i].base64url, bytes, length));
		assert_memory_equal(bytes, vectors[i].plain, length);
		assert_true(hex_decode(vectors[i].hex, bytes, length));
		assert_memory_equal(bytes, vectors[i].plain, length);
	}
	assert_true(hex_decode("AbCdEf", bytes, 3));
	assert_memory_equal(bytes, "\xab\xcd\xef", 3);
}

static void
base64url_of_all_lengths_and_bytes_comes_back(void **state)
{
	uint8_t bytes[256], again[256];
	char text[BASE64URL_SIZE(256)];

	(void)state;
	for (size_t length = 0; length <= sizeof(bytes); length++) {
		for (size_t i = 0; i < length; i++)
			bytes[i] = (uint8_t)(i * 37 + length);
		base64url_encode(bytes, length, text);
		assert_true(base64url_decode(text, again, length));
		assert_memory_equal(bytes, again, length);
	}
}

static void
base64url_refuses_every_other_spelling(void **state)
{
	static const struct {
		const char *text;
		size_t length;
	} cases[] = {
		{ "Zg", 0 }, { "Zg", 2 }, { "", 1 },		/* another length */
		{ "Zg==", 1 }, { "Zm8=", 2 }, { "Zg=", 1 },	/* padding */
		{ "Zh", 1 }, { "Zm9", 2 }, { "Z_", 1 },		/* bits past the end */
		{ "Z", 0 }, { "Zm9vY", 3 },			/* a lone digit */
		{ "+/+/", 3 }, { "Z m9", 3 }, { " Zg", 1 }, { "Zg\n", 1 }, { "Zm9.", 3 },
		{ "Z\xc3\xa9v", 3 },
	};
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (base64url_decode(cases[i].text, bytes, cases[i].length))
			fail_msg("accepted \"%s\"", cases[i].text);
}

static void
base64_takes_full_padding_or_none(void **state)
{
	static const struct {
		const char *text;
		long length;
	} cases[] = {
		{ "Zg", 1 }, { "Zm8", 2 }, { "Zm9vYg", 4 },
		{ "Zg=", -1 }, { "Zg===", -1 }, { "Zg====", -1 }, { "Zm8==", -1 }, { "Zm9v=", -1 },
		{ "Zm9v==", -1 }, { "Zm9v====", -1 }, { "=", -1 }, { "==", -1 }, { "====", -1 },
		{ "Z===", -1 }, { "Z", -1 }, { "Zh==", -1 }, { "Zm9=", -1 }, { "Zg==Zg==", -1 },
		{ "-_-_", -1 }, { "Zm 9v", -1 }, { "Zm9v\n", -1 },
	};
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (base64_decode(cases[i].text, bytes, sizeof(bytes)) != cases[i].length)
			fail_msg("\"%s\" is not %ld bytes", cases[i].text, cases[i].length);
	assert_int_equal(base64_decode("Zm9v", bytes, 2), -1);
	assert_int_equal(base64_decode("Zm9v", bytes, 3), 3);
}

static void
hex_refuses_what_is_not_exactly_the_digits(void **state)
{
	static const char *const cases[] = { "", "ab", "abc", "abcde", "abcdef", "abcg", "ab:d",
		" abc", "0xab", "ab\xc3\xa9", "ABC@", "abc`", "ab/0" };
	uint8_t bytes[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (hex_decode(cases[i], bytes, 2))
			fail_msg("accepted \"%s\"", cases[i]);
}

static void
percent_encoding_keeps_a_path_and_is_undone(void **state)
{
	static const char text[] = "/a b/\xd0\xaf?x=1&y=%2F+~#\n";
	char encoded[PERCENT_SIZE(sizeof(text))];
	size_t length;

	(void)state;
	percent_encode(text, encoded);
	assert_string_equal(encoded, "/a%20b/%D0%AF%3Fx%3D1%26y%3D%252F%2B~%23%0A");
	assert_true(percent_decode(encoded, &length));
	assert_string_equal(encoded, text);
	percent_encode("", encoded);
	assert_string_equal(encoded, "");
}

static void
percent_encoding_is_undone_and_strict(void **state)
{
	static const struct {
		const char *text, *bytes;	/* NULL: refused */
		size_t length;
	} cases[] = {
		{ "", "", 0 }, { "plain+", "plain+", 6 }, { "%41%62", "Ab", 2 }, { "%c3%A9", "\xc3\xa9", 2 },
		{ "a%00b", "a\0b", 3 }, { "%2541", "%41", 3 }, { "%ff", "\xff", 1 }, { "%25", "%", 1 },
		{ "%", NULL, 0 }, { "%4", NULL, 0 }, { "a%4g", NULL, 0 }, { "%g4", NULL, 0 }, { "%%41", NULL, 0 },
		{ "%+1", NULL, 0 }, { "% 1", NULL, 0 }, { "%0x41", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char text[16];
		size_t length;

		snprintf(text, sizeof(text), "%s", cases[i].text);
		if (percent_decode(text, &length) != (cases[i].bytes != NULL))
			fail_msg("\"%s\"", cases[i].text);
		if (cases[i].bytes == NULL)
			continue;
		assert_int_equal(length, cases[i].length);
		assert_memory_equal(text, cases[i].bytes, length + 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_as_the_rfc_spells_them),
		cmocka_unit_test(what_was_encoded_decodes_to_itself),
		cmocka_unit_test(base64url_of_all_lengths_and_bytes_comes_back),
		cmocka_unit_test(base64url_refuses_every_other_spelling),
		cmocka_unit_test(base64_takes_full_padding_or_none),
		cmocka_unit_test(hex_refuses_what_is_not_exactly_the_digits),
		cmocka_unit_test(percent_encoding_is_undone_and_strict),
		cmocka_unit_test(percent_encoding_keeps_a_path_and_is_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
