/* text: what is an address, a name, a number, a moment, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "buffer.h"
#include "text.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X8(text) text text text text text text text text
#define X63 X8("aaaaaaa") "aaaaaaa"

static void
assert_each(bool (*check)(const char *), const char *const *texts, size_t count, bool expected)
{
	for (size_t i = 0; i < count; i++)
		if (check(texts[i]) != expected)
			fail_msg("%s \"%s\"", expected ? "refused" : "accepted", texts[i]);
}

#define ASSERT_ACCEPTS(check, ...) do { \
	static const char *const texts[] = { __VA_ARGS__ }; \
	assert_each(check, texts, ARRAY_COUNT(texts), true); \
} while (0)
#define ASSERT_REFUSES(check, ...) do { \
	static const char *const texts[] = { __VA_ARGS__ }; \
	assert_each(check, texts, ARRAY_COUNT(texts), false); \
} while (0)

static void
utf8_is_taken_strictly(void **state)
{
	static const struct {
		const char *text;
		bool is_valid;
	} cases[] = {
		{ "", true }, { "abc", true }, { "\x7f", true }, { "Олена", true }, { "日本", true },
		{ "\xc2\x80", true }, { "\xdf\xbf", true }, { "\xe0\xa0\x80", true },
		{ "\xed\x9f\xbf", true }, { "\xee\x80\x80", true }, { "\xef\xbf\xbf", true },
		{ "\xf0\x90\x80\x80", true }, { "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false }, { "\xbf", false }, { "a\x80", false },
		{ "\xc0\x80", false }, { "\xc1\xbf", false }, { "\xe0\x9f\xbf", false },
		{ "\xf0\x8f\xbf\xbf", false },				/* overlong */
		{ "\xed\xa0\x80", false }, { "\xed\xbf\xbf", false },	/* surrogates */
		{ "\xf4\x90\x80\x80", false }, { "\xf5\x80\x80\x80", false }, { "\xf8\x88\x80\x80\x80", false },
		{ "\xfe", false }, { "\xff", false },
		{ "\xc2", false }, { "\xe0\xa0", false }, { "\xf0\x90\x80", false }, { "\xc2" "a", false },
		{ "\xe2\x82" "a", false }, { "\xf0\x9f\x98" "a", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (utf8_is_valid(cases[i].text, strlen(cases[i].text)) != cases[i].is_valid)
			fail_msg("case %zu", i);
	assert_true(utf8_is_valid("a\0b", 3));
	/* It does not read on behind the length. */
	assert_false(utf8_is_valid("\xd0\x9e", 1));
}

static void
every_code_point_comes_back(void **state)
{
	uint32_t back;
	char bytes[4];

	(void)state;
	for (uint32_t code_point = 0; code_point <= 0x110000; code_point++) {
		size_t length = utf8_encode(code_point, bytes);
		bool is_scalar = code_point <= 0x10ffff && (code_point < 0xd800 || code_point > 0xdfff);

		back = 0xffffffff;
		if (utf8_decode(bytes, length, &back) != (is_scalar ? length : 0))
			fail_msg("U+%04X", (unsigned)code_point);
		if (back != (is_scalar ? code_point : 0xffffffff))
			fail_msg("U+%04X is U+%04X", (unsigned)code_point, (unsigned)back);
	}
	assert_int_equal(utf8_decode("", 0, &back), 0);
}

static void
length_counts_characters(void **state)
{
	(void)state;
	assert_int_equal(utf8_length(""), 0);
	assert_int_equal(utf8_length("abc"), 3);
	assert_int_equal(utf8_length("Олена 日本 😀"), 10);
}

static void
lower_case_covers_all_scripts(void **state)
{
	struct buffer out = BUFFER_INIT;

	(void)state;
	text_lower(&out, "ANNA Ґалаґан ЁЖ ΣΑΣ Éß 日本 😀 İ");
	assert_string_equal(buffer_text(&out), "anna ґалаґан ёж σασ éß 日本 😀 i");
	buffer_free(&out);
}

static void
addresses_that_mail_goes_to_are_accepted(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(email_is_valid, "a@b.c", "anna@example.com", "a.b.c@example.com",
		"o'brien+tag@mail.example.co.uk", "!#$%&*+-/=?^_`{|}~@example.com", "a@localhost",
		"1@2.3", "A_B@EXAMPLE.COM", "a@xn--d1acufc.xn--p1ai", "a@b-c.de", X63 "x@example.com",
		"a@" X63 ".com",
		/* 254 in all */
		X63 "x@" X63 "." X63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void
addresses_that_could_harm_or_are_none_are_refused(void **state)
{
	(void)state;
	ASSERT_REFUSES(email_is_valid, "", "@", "a", "a@", "@b.c", "a@b", "a@b.", "a@.b", "a@b..c",
		"a@@b.c", "a@b@c.d", ".a@b.c", "a.@b.c", "a..b@c.d", "a b@c.d", "a@b .c", " a@b.c",
		"a@b.c ", "\"a\"@b.c", "a<b@c.d", "a>b@c.d", "<a@b.c>", "a,b@c.d", "a;b@c.d", "a:b@c.d",
		"a(b)@c.d", "a\\b@c.d", "a[b@c.d", "a@[127.0.0.1]", "a@-b.c", "a@b-.c", "a@b_c.d",
		"a\n@b.c", "a@b.c\r\nRCPT TO:<x@y.z>", "a@b.c\n", "a\t@b.c", "\x01@b.c", "\x7f@b.c",
		"олена@example.com", "a@приклад.укр", "\xff@b.c", "a@LOCALHOSTS", "a@b.c@",
		X63 "xx@example.com", "a@a" X63 ".com",
		/* 255 in all */
		X63 "x@" X63 "." X63 ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void
usernames_are_letters_and_digits_of_any_script(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(username_is_valid, "a", "anna.k", "a-b_c", "42", "олена", "Ґалаґан", "山田太郎",
		"विक्रम", "אנה", "محمد", "สมชาย", "e\xcc\x81lan", X63 "a",
		/* 64 characters of two bytes */
		X8("яяяяяяяя"));
	ASSERT_REFUSES(username_is_valid, "", "a@b", "a b", " a", "a\xc2\xa0" "b", "a/b", "a,b", "a:b",
		"a\nb", "a\x7f", "a'b", "<a>", "a\xe2\x80\x8b" "b", "a\xe2\x80\xae" "b", "\xcc\x81", "a😀",
		"a\xff", "\xc3", X63 "aa", X8("яяяяяяяя") "я", "\xe3\x85\xa4");
}

static void
names_show_something_and_control_nothing(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(name_is_valid, "A", "Анна-Марія О'Коннор", "Dr. \"X\" <y>", " a ", "山田 太郎",
		"😀", "n\xc2\xa0m", "Müller & Söhne, GmbH");
	ASSERT_REFUSES(name_is_valid, "", " ", "   ", "\t", "a\tb", "a\nb", "a\r\nBcc: x@y.z", "\x01",
		"a\x7f", "a\xc2\x85", "a\xe2\x80\xa8" "b", "a\xe2\x80\xae" "b", "a\xe2\x81\xa6" "b",
		"\xc2\xa0", "\xe2\x80\x8b", "\xe3\x80\x80 ", "\xe2\xa0\x80", "\xe3\x85\xa4", "\xef\xbb\xbf",
		"a\xff", "a\xc3");
}

static void
phones_come_out_as_e164(void **state)
{
	static const struct {
		const char *text, *expected;	/* NULL: refused */
	} cases[] = {
		{ "+380671234567", "+380671234567" },
		{ "+38 (067) 123-45-67", "+380671234567" },
		{ "00 380 67 123.45/67", "+380671234567" },
		{ "(00)380671234567", "+380671234567" },
		{ "+1234567", "+1234567" },
		{ "+123456789012345", "+123456789012345" },
		{ "00123456789012345", "+123456789012345" },
		{ "+123456", NULL }, { "+1234567890123456", NULL }, { "001234567890123456", NULL },
		{ "", NULL }, { "+", NULL }, { "00", NULL }, { "380671234567", NULL },
		{ "0671234567", NULL }, { "+0671234567", NULL }, { "000671234567", NULL },
		{ "++380671234567", NULL }, { "38+0671234567", NULL }, { "+00380671234567", NULL },
		{ "00+380671234567", NULL }, { "+38067123456x", NULL }, { "+380671234567 ext 5", NULL },
		{ "+38067123\n4567", NULL }, { "+٣٨٠٦٧١٢٣٤", NULL }, { "tel:+380671234567", NULL },
		{ "+3806712345670000000000000000000000000000000000000", NULL },
	};
	char out[17];

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		if (phone_normalize(cases[i].text, out) != (cases[i].expected != NULL))
			fail_msg("\"%s\"", cases[i].text);
		if (cases[i].expected != NULL)
			assert_string_equal(out, cases[i].expected);
	}
}

static void
permissions_are_two_words_or_a_star(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(permission_is_valid, "*", "users:read", "a:b", "a.b-c_1:2",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	ASSERT_REFUSES(permission_is_valid, "", "users", ":", "a:", ":b", "a:b:c", "**", "a:*", "*:b",
		"A:b", "a:B", "a b:c", "a:b ", "a,b:c", "a:b}", "\"a\":b", "а:б", "a:b\n",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
}

static void
colours_are_six_hexadecimal_digits(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(color_is_valid, "#000000", "#2f80ed", "#2F80ED");
	ASSERT_REFUSES(color_is_valid, "", "#", "2f80ed", "#2f80e", "#2f80edd", "#2f80eg", "#fff", " #2f80ed", "#2f80ed\n", "blue");
}

static void
slugs_and_locales_are_plain_words(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(slug_is_valid, "ab", "a1", "acme-2", "a--b", X63);
	ASSERT_REFUSES(slug_is_valid, "", "a", "1a", "-a", "a-", "A1", "a_b", "a b", "a.b", "ab\n", "éa",
		X63 "a");
	ASSERT_ACCEPTS(locale_is_known, "en", "uk", "ru");
	ASSERT_REFUSES(locale_is_known, "", "EN", "en-US", "de", "en ", "../en");
}

static void
durations_have_one_sign_and_units_in_order(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "PT24H", 86400 }, { "PT1H", 3600 }, { "P30D", 2592000 }, { "P3M", 7776000 },
		{ "P1Y", 31104000 }, { "P2W", 1209600 }, { "PT90M", 5400 }, { "PT0S", 0 }, { "P0D", 0 },
		{ "P1Y2M3W4DT5H6M7S", 31104000 + 5184000 + 1814400 + 345600 + 18000 + 360 + 7 },
		{ "P1DT1S", 86401 }, { "P1M1D", 2678400 }, { "PT000000001S", 1 },
		{ "P1000Y", INT64_C(31104000000) },
		{ "", -1 }, { "P", -1 }, { "PT", -1 }, { "P1DT", -1 }, { "1D", -1 }, { "P1", -1 },
		{ "PT1", -1 }, { "P1H", -1 }, { "PT1D", -1 }, { "PT1Y", -1 }, { "P1D1M", -1 },
		{ "P1D1D", -1 }, { "PT1S1M", -1 }, { "P-1D", -1 }, { "-P1D", -1 }, { "+P1D", -1 },
		{ "P1.5D", -1 }, { "PT1,5S", -1 }, { "p1d", -1 }, { "P1d", -1 }, { "P 1D", -1 },
		{ "P1D ", -1 }, { " P1D", -1 }, { "P1D\n", -1 }, { "P1DT1H1D", -1 }, { "PT1HT1M", -1 },
		{ "P1001Y", -1 }, { "P999999999Y", -1 }, { "P9999999999D", -1 },
		{ "PT99999999999999999999S", -1 }, { "24:00:00", -1 }, { "P1DX", -1 }, { "PTS", -1 },
		{ "PD", -1 }, { "P0001-00-00", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (duration_seconds(cases[i].text) != cases[i].seconds)
			fail_msg("\"%s\" is %lld", cases[i].text,
				(long long)duration_seconds(cases[i].text));
}

static void
timestamps_exist_in_the_calendar_and_name_their_offset(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(timestamp_is_valid, "2026-11-22T02:33:12Z", "2026-11-22T02:33:12.123456Z",
		"2026-11-22t02:33:12z", "2026-11-22T02:33:12+02:00", "2026-11-22T02:33:12-11:30",
		"2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z", "2016-12-31T23:59:60Z",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z");
	ASSERT_REFUSES(timestamp_is_valid, "", "2026-11-22", "2026-11-22T02:33:12", "2026-11-22T02:33Z",
		"2026-11-22 02:33:12Z", "2026-11-22T02:33:12 02:00", "2026-11-22T02:33:12+0200",
		"2026-11-22T02:33:12+02", "2026-11-22T02:33:12.Z", "2026-11-22T02:33:12.1234567890Z",
		"2026-11-22T24:00:00Z", "2026-11-22T02:60:00Z", "2026-11-22T02:33:61Z",
		"2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
		"0000-01-01T00:00:00Z", "-001-01-01T00:00:00Z", "12026-01-01T00:00:00Z",
		"2026-1-1T00:00:00Z", "2026-11-22T02:33:12+16:00", "2026-11-22T02:33:12+02:60",
		"2026-11-22T02:33:12Z ", "2026-11-22T02:33:12ZZ", "now", "infinity", "2026-11-22T02:33:12Zx");
}

static void
texts_are_compared_and_so_is_none(void **state)
{
	(void)state;
	assert_true(text_equals(NULL, NULL) && text_equals("", "") && text_equals("é", "é"));
	assert_false(text_equals(NULL, "") || text_equals("", NULL) || text_equals("a", "A"));
}

static void
dots_alone_are_no_segment(void **state)
{
	(void)state;
	ASSERT_ACCEPTS(segment_is_dots, ".", "..");
	ASSERT_REFUSES(segment_is_dots, "", "...", ".a", "a.", "..a", " .");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_taken_strictly),
		cmocka_unit_test(texts_are_compared_and_so_is_none),
		cmocka_unit_test(dots_alone_are_no_segment),
		cmocka_unit_test(every_code_point_comes_back),
		cmocka_unit_test(length_counts_characters),
		cmocka_unit_test(lower_case_covers_all_scripts),
		cmocka_unit_test(addresses_that_mail_goes_to_are_accepted),
		cmocka_unit_test(addresses_that_could_harm_or_are_none_are_refused),
		cmocka_unit_test(usernames_are_letters_and_digits_of_any_script),
		cmocka_unit_test(names_show_something_and_control_nothing),
		cmocka_unit_test(phones_come_out_as_e164),
		cmocka_unit_test(permissions_are_two_words_or_a_star),
		cmocka_unit_test(colours_are_six_hexadecimal_digits),
		cmocka_unit_test(slugs_and_locales_are_plain_words),
		cmocka_unit_test(durations_have_one_sign_and_units_in_order),
		cmocka_unit_test(timestamps_exist_in_the_calendar_and_name_their_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
