/* mime: what mail programs write, and what they should not have written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "mime.h"
#include "mime_coding.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct mime_piece
piece(const char *text)
{
	return (struct mime_piece){ text, strlen(text) };
}

static void
assert_piece(struct mime_piece found, const char *text)
{
	assert_int_equal(found.length, strlen(text));
	assert_memory_equal(found.text, text, found.length);
}

static void
headers_end_at_the_first_empty_line(void **state)
{
	static const struct {
		const char *text, *headers, *body;
	} cases[] = {
		{ "A: 1\r\nB: 2\r\n\r\nbody\r\n\r\nmore", "A: 1\r\nB: 2\r\n", "body\r\n\r\nmore" },
		{ "A: 1\n\nbody", "A: 1\n", "body" },
		{ "\nbody", "", "body" }, { "\r\n", "", "" }, { "", "", "" },
		{ "A: 1", "A: 1", "" }, { "A: 1\r\n", "A: 1\r\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mime_part part = mime_part_read(piece(cases[i].text));

		assert_piece(part.headers, cases[i].headers);
		assert_piece(part.body, cases[i].body);
	}
}

static void
a_header_is_unfolded_and_the_first_of_its_name(void **state)
{
	static const char text[] = "Sub: other\nsubject:  one \t two\r\n\tthree\n \nX\x01: y\nSubject: again\n not this\nEmpty:\nNul: a\x7f\x01" "b\n";
	static const struct {
		const char *name, *value;
	} cases[] = {
		{ "Subject", "one two three" }, { "SUB", "other" }, { "Empty", "" }, { "Nul", "a b" }, { "Subj", NULL }, { "not this", NULL },
	};
	struct buffer value = BUFFER_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool found = mime_header(piece(text), cases[i].name, &value);

		assert_int_equal(found, cases[i].value != NULL);
		assert_string_equal(buffer_text(&value), cases[i].value != NULL ? cases[i].value : "");
	}
	buffer_free(&value);
}

static void
parameters_are_tokens_or_quoted(void **state)
{
	static const struct {
		const char *value, *boundary;
	} cases[] = {
		{ "multipart/mixed; boundary=abc", "abc" }, { "multipart/mixed;boundary=abc;x=y", "abc" },
		{ "a/b; x=\"; boundary=no\"; BOUNDARY = \"a b;\\\"c\\\\\"", "a b;\"c\\" }, { "a/b; charset=utf-8; boundary=\"x", "x" },
		{ "a/b; x; boundary=1", "1" }, { "a/b; boundary=", NULL }, { "a/b; boundary=\"\"", NULL }, { "a/b; boundary", NULL },
		{ "a/b", NULL }, { "boundary=abc", NULL }, { "a/b; xboundary=1", NULL }, { "a/b; ; ;;=", NULL }, { "", NULL },
	};
	struct buffer value = BUFFER_INIT, boundary = BUFFER_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_clear(&value);
		buffer_puts(&value, cases[i].value);
		assert_int_equal(mime_parameter(&value, "boundary", &boundary), cases[i].boundary != NULL);
		if (cases[i].boundary != NULL)
			assert_string_equal(buffer_text(&boundary), cases[i].boundary);
	}
	buffer_free(&value);
	buffer_free(&boundary);
}

static void
parts_stand_between_delimiters(void **state)
{
	static const char text[] = "Content-Type: multipart/mixed; boundary=b\n\nbefore\n--b \t\r\nA: 1\r\n\r\none\r\n--bb\r\n --b\r\n--b\n\ntwo\n--b\n--b--\n--b\n\nbehind";
	static const char *const bodies[] = { "one\r\n--bb\r\n --b", "two", "" };
	struct mime_part whole = mime_part_read(piece(text)), part;
	struct mime_parts parts;

	(void)state;
	assert_true(mime_parts_begin(&whole, &parts));
	for (size_t i = 0; i < COUNT(bodies); i++) {
		assert_true(mime_parts_next(&parts, &part));
		assert_piece(part.body, bodies[i]);
	}
	assert_false(mime_parts_next(&parts, &part));
}

static void
what_has_no_boundary_has_no_parts(void **state)
{
	static const char *const texts[] = {
		"Content-Type: text/plain; boundary=b\n\n--b\n", "Content-Type: multipart/mixed\n\n--\n", "\n--b\n", "",
		"Content-Type: multipart/mixed; boundary=12345678901234567890123456789012345678901234567890123456789012345678901\n\n--1\n",
	};
	struct mime_parts parts;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct mime_part whole = mime_part_read(piece(texts[i]));

		assert_false(mime_parts_begin(&whole, &parts));
	}
}

static void
a_multipart_that_is_cut_off_ends(void **state)
{
	static const char *const texts[] = {
		"Content-Type: multipart/mixed; boundary=b\n\n", "Content-Type: multipart/mixed; boundary=b\n\nno delimiter",
		"Content-Type: multipart/mixed; boundary=b\n\n--b--",
	};
	struct mime_part whole, part;
	struct mime_parts parts;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		whole = mime_part_read(piece(texts[i]));
		assert_true(mime_parts_begin(&whole, &parts));
		assert_false(mime_parts_next(&parts, &part));
	}
	whole = mime_part_read(piece("Content-Type: multipart/mixed; boundary=b\n\n--b\n\nhalf a par"));
	assert_true(mime_parts_begin(&whole, &parts));
	assert_true(mime_parts_next(&parts, &part));
	assert_piece(part.body, "half a par");
	assert_false(mime_parts_next(&parts, &part));
}

static void
bodies_are_decoded(void **state)
{
	static const struct {
		const char *text, *body;
	} cases[] = {
		{ "Content-Transfer-Encoding: BASE64\n\n0J/RgNC40LLR\r\nltGC IQ==ignored", "Привіт!" },
		{ "Content-Transfer-Encoding: quoted-printable\n\na=20b=\nc=\r\nd=3d=zz=4", "a bcd==zz=4" },
		{ "Content-Transfer-Encoding: 8bit\n\n=20", "=20" }, { "\nplain", "plain" }, { "Content-Transfer-Encoding: base64\n\n", "" },
	};
	struct buffer body = BUFFER_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mime_part part = mime_part_read(piece(cases[i].text));

		mime_part_decode(&part, &body);
		assert_string_equal(buffer_text(&body), cases[i].body);
	}
	buffer_free(&body);
}

static void
encoded_words_become_text(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "=?utf-8?B?0J/RgNC40LLRltGC?=", "Привіт" }, { "a =?UTF-8?q?b_c?= d", "a b c d" },
		{ "=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c" }, { "=?utf-8?q?a?= =?koi8-r?q?b?=", "a =?koi8-r?q?b?=" },
		{ "=?iso-8859-1?Q?=E9t=E9?=", "été" }, { "=?utf-8?x?a?=", "=?utf-8?x?a?=" }, { "=?utf-8?q?a", "=?utf-8?q?a" },
		{ "=?", "=?" }, { "=?=?=?", "=?=?=?" }, { "plain  text ", "plain  text " }, { "", "" },
	};
	struct buffer words = BUFFER_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		buffer_clear(&words);
		mime_decode_words(cases[i].text, &words);
		assert_string_equal(buffer_text(&words), cases[i].words);
	}
	buffer_free(&words);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_end_at_the_first_empty_line),
		cmocka_unit_test(a_header_is_unfolded_and_the_first_of_its_name),
		cmocka_unit_test(parameters_are_tokens_or_quoted),
		cmocka_unit_test(parts_stand_between_delimiters),
		cmocka_unit_test(what_has_no_boundary_has_no_parts),
		cmocka_unit_test(a_multipart_that_is_cut_off_ends),
		cmocka_unit_test(bodies_are_decoded),
		cmocka_unit_test(encoded_words_become_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
