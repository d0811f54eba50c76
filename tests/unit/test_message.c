/* message: one MIME message, and what can never come out of it. Python's parser
 * reads them back in tests/worker/test_message.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEN "0123456789"

static struct message
sample(void)
{
	return (struct message){
		.id = "0190b8a0-0000-7000-8000-000000000000@test.example",
		.from_name = "Rollcall", .from_address = "rollcall@test.example",
		.to_name = NULL, .to_address = "olena@test.example",
		.subject = "Hello", .language = "en", .text = "Text\n", .html = "<p>Text</p>\n",
		.date = 1700000000,
	};
}

static char *
build(const struct message *message)
{
	struct buffer out = BUFFER_INIT;

	message_build(message, &out);
	return buffer_take(&out);
}

static void
assert_holds(const struct message *message, const char *expected)
{
	char *built = build(message);

	if (strstr(built, expected) == NULL)
		fail_msg("\"%s\" is not in:\n%s", expected, built);
	free(built);
}

static void
a_message_has_the_headers_that_it_needs(void **state)
{
	static const char *const expected[] = {
		"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
		"Message-ID: <0190b8a0-0000-7000-8000-000000000000@test.example>\r\n",
		"From: \"Rollcall\"\r\n <rollcall@test.example>\r\n",
		"To: <olena@test.example>\r\n",
		"Subject: Hello\r\n",
		"Content-Language: en\r\n",
		"Auto-Submitted: auto-generated\r\n",
		"MIME-Version: 1.0\r\n",
		"Content-Type: multipart/alternative;\r\n boundary=\"=_0190b8a0-0000-7000-8000-000000000000\"\r\n\r\n--",
		"\r\n\r\n--=_0190b8a0-0000-7000-8000-000000000000\r\nContent-Type: text/plain; charset=utf-8\r\n",
		"\r\n--=_0190b8a0-0000-7000-8000-000000000000--\r\n",
	};
	struct message message = sample();

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(expected); i++)
		assert_holds(&message, expected[i]);
}

static void
subjects_are_plain_or_encoded(void **state)
{
	static const struct {
		const char *subject, *header;
	} cases[] = {
		{ "", "Subject: \r\n" },
		{ "plain: text, \"quoted\"", "Subject: plain: text, \"quoted\"\r\n" },
		{ "Привіт", "Subject: =?UTF-8?B?0J/RgNC40LLRltGC?=\r\n" },
		{ " blank", "Subject: =?UTF-8?B?IGJsYW5r?=\r\n" },
		{ "=?x", "Subject: =?UTF-8?B?PT94?=\r\n" },
		{ "a\r\nBcc: b", "Subject: =?UTF-8?B?YSAgQmNjOiBi?=\r\n" },
		{ TEN TEN TEN TEN TEN TEN, "Subject: " TEN TEN TEN TEN TEN TEN "\r\n" },
		{ TEN TEN TEN TEN TEN TEN "x", "Subject: =?UTF-8?B?MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4?=\r\n"
			" =?UTF-8?B?OTAxMjM0NTY3ODkwMTIzNDU2Nzg5eA==?=\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct message message = sample();

		message.subject = cases[i].subject;
		assert_holds(&message, cases[i].header);
	}
}

static void
names_are_quoted_or_encoded(void **state)
{
	static const struct {
		const char *name, *header;
	} cases[] = {
		{ NULL, "\r\nTo: <olena@test.example>\r\n" },
		{ "", "\r\nTo: <olena@test.example>\r\n" },
		{ "O'Neill, Olena", "To: \"O'Neill, Olena\"\r\n <olena@test.example>\r\n" },
		{ "Олена", "To: =?UTF-8?B?0J7Qu9C10L3QsA==?=\r\n <olena@test.example>\r\n" },
		{ "say \"hi\" \\", "To: =?UTF-8?B?c2F5ICJoaSIgXA==?=\r\n <olena@test.example>\r\n" },
		{ "a\r\nBcc: b@c", "To: =?UTF-8?B?YSAgQmNjOiBiQGM=?=\r\n <olena@test.example>\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct message message = sample();

		message.to_name = cases[i].name;
		assert_holds(&message, cases[i].header);
	}
}

static void
bodies_are_quoted_printable(void **state)
{
	static const struct {
		const char *text, *body;
	} cases[] = {
		{ "", "printable\r\n\r\n\r\n--" },
		{ "plain", "\r\n\r\nplain\r\n" },
		{ "a\nb\r\nc\rd\n", "\r\n\r\na\r\nb\r\nc\r\nd\r\n" },
		{ "a = b", "\r\n\r\na =3D b\r\n" },
		{ ".\n..\n.x", "\r\n\r\n=2E\r\n=2E.\r\n=2Ex\r\n" },
		{ "From here\nFromage", "\r\n\r\n=46rom here\r\nFromage\r\n" },
		{ "blank \ntab\t\nend ", "\r\n\r\nblank=20\r\ntab=09\r\nend=20\r\n" },
		{ "\x01\x7f", "\r\n\r\n=01=7F\r\n" },
		{ "ї", "\r\n\r\n=D1=97\r\n" },
		/* 75 and the soft line end make 76; a dot that comes to open a line is encoded */
		{ TEN TEN TEN TEN TEN TEN TEN "01234.x", "\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN "01234=\r\n=2Ex\r\n" },
		{ TEN TEN TEN TEN TEN TEN TEN "0123ї", "\r\n\r\n" TEN TEN TEN TEN TEN TEN TEN "0123=\r\n=D1=97\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct message message = sample();

		message.text = cases[i].text;
		assert_holds(&message, cases[i].body);
	}
}

static void
tokens_lose_what_would_end_them(void **state)
{
	struct message message = sample();

	(void)state;
	message.id = "1>\r\nBcc: <x@y";
	message.to_address = "a@b>\r\nBcc: <c@d";
	message.from_address = "a b\x7f@c";
	message.language = "en\r\nBcc: x";
	assert_holds(&message, "Message-ID: <1Bcc:x@y>\r\n");
	assert_holds(&message, "To: <a@bBcc:c@d>\r\n");
	assert_holds(&message, " <ab@c>\r\n");
	assert_holds(&message, "Content-Language: enBcc:x\r\n");
}

static void
broken_utf8_does_no_harm(void **state)
{
	char bytes[200];
	struct message message = sample();

	(void)state;
	memset(bytes, '\x80', sizeof bytes - 1);
	bytes[sizeof bytes - 1] = '\0';
	message.subject = message.to_name = message.text = bytes;
	assert_holds(&message, "\r\n--=_0190b8a0-0000-7000-8000-000000000000--\r\n");
}

static void
a_retry_is_the_same_bytes(void **state)
{
	struct message message = sample();
	char *first = build(&message), *second = build(&message);

	(void)state;
	assert_string_equal(first, second);
	free(first);
	free(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_the_headers_that_it_needs),
		cmocka_unit_test(subjects_are_plain_or_encoded),
		cmocka_unit_test(names_are_quoted_or_encoded),
		cmocka_unit_test(bodies_are_quoted_printable),
		cmocka_unit_test(tokens_lose_what_would_end_them),
		cmocka_unit_test(broken_utf8_does_no_harm),
		cmocka_unit_test(a_retry_is_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
