/* json: what json-c lets through and we do not; reading by type; writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define X10(text) text text text text text text text text text text
#define DEEP(text) X10(text) X10(text) X10(text) text text

static struct json_object *
parsed(const char *text)
{
	const char *reason = "unset";
	struct json_object *value = json_parse(text, strlen(text), &reason);

	if (value == NULL)
		fail_msg("refused %s: %s", text, reason);
	assert_null(reason);
	return value;
}

static void
json_is_accepted_and_written_back(void **state)
{
	static const struct {
		const char *text, *written;	/* NULL: the same */
	} cases[] = {
		{ "{}", NULL }, { "[]", NULL }, { " \t\r\n{ } \n", "{}" }, { "[ ]", "[]" },
		{ "{\"a\":1,\"b\":[true,false,null],\"c\":{\"a\":\"x\"}}", NULL },
		{ "[ 1 , 2 ]", "[1,2]" }, { "{ \"a\" : 1 }", "{\"a\":1}" },
		{ "[0,-0,-1,10,123456789012345678,-123456789012345678]",
			"[0,0,-1,10,123456789012345678,-123456789012345678]" },
		{ "[0.5,-1.25,1e5,1E+5,1e-5,0e0,1.5e300,1e-400]", NULL },
		{ "[\"\",\"Олена\",\"\xf0\x9f\x98\x80\",\"\x7f\"]", NULL },
		{ "[\"http://a/b\"]", NULL },
		{ "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]", "[\"\\\"\\\\/\\b\\f\\n\\r\\t\"]" },
		{ "[\"\\u0041\\u00e9\\u0416\\uD83D\\ude00\\uFFFF\"]", "[\"AéЖ\xf0\x9f\x98\x80\xef\xbf\xbf\"]" },
		{ "{\"\\u0061\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
		{ "{\"\":1}", NULL }, { "{\"a\":{\"a\":{\"a\":1}}}", NULL },
		{ "[{\"a\":1},{\"a\":1}]", NULL },
		{ "{\"a\":[{\"b\":1,\"c\":2}],\"b\":1,\"c\":2}", NULL },
		{ DEEP("[") "1" DEEP("]"), NULL },
		{ DEEP("[") DEEP("]"), NULL },
		{ X10("{\"a\":") X10("{\"a\":") X10("{\"a\":") "[{\"a\":null}]"
			X10("}") X10("}") X10("}"), NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct json_object *value = parsed(cases[i].text);
		struct buffer out = BUFFER_INIT;

		json_write_value(&out, value);
		assert_string_equal(buffer_text(&out),
			cases[i].written != NULL ? cases[i].written : cases[i].text);
		buffer_free(&out);
		json_object_put(value);
	}
}

struct refusal {
	const char *reason, *text;
};

static void
assert_refused(const char *text, size_t length, const char *expected)
{
	/* A copy of its own, so that the sanitizer sees a read behind the end. */
	char *copy = malloc(length > 0 ? length : 1);
	const char *reason = NULL;

	memcpy(copy, text, length);
	if (json_parse(copy, length, &reason) != NULL)
		fail_msg("accepted %s", text);
	if (reason == NULL || strcmp(reason, expected) != 0)
		fail_msg("%s: %s, not %s", text, reason, expected);
	free(copy);
}

static void
what_is_not_json_is_refused_with_its_reason(void **state)
{
	static const struct refusal cases[] = {
		{ "empty", "" }, { "empty", " \n" },
		{ "not an object or an array", "1" }, { "not an object or an array", "\"a\"" },
		{ "not an object or an array", "null" }, { "not an object or an array", "NaN" },
		{ "not an object or an array", "\xef\xbb\xbf{}" },
		{ "not an object or an array", "// c\n{}" },
		{ "ends too early", "{" }, { "ends too early", "[" }, { "ends too early", "{\"a\"" },
		{ "ends too early", "{\"a\":" }, { "ends too early", "{\"a\":1" },
		{ "ends too early", "{\"a\":1," }, { "ends too early", "[1," }, { "ends too early", "[\"a" },
		{ "ends too early", "[tru" }, { "ends too early", "[-" },
		{ "text after the end", "{}x" }, { "text after the end", "{}{}" },
		{ "text after the end", "[1]]" }, { "text after the end", "{} //" },
		{ "single quotes instead of double quotes", "{'a':1}" },
		{ "single quotes instead of double quotes", "['a']" },
		{ "not valid JSON", "[NaN]" }, { "not valid JSON", "[nan]" },
		{ "not valid JSON", "[Infinity]" }, { "not valid JSON", "[-Infinity]" },
		{ "not valid JSON", "[TRUE]" }, { "not valid JSON", "[True]" }, { "not valid JSON", "[nul]" },
		{ "not valid JSON", "[truex]" }, { "not valid JSON", "[1,]" }, { "not valid JSON", "[,1]" },
		{ "not valid JSON", "{,}" }, { "not valid JSON", "[1 2]" }, { "not valid JSON", "[1;2]" },
		{ "not valid JSON", "{\"a\":1,}" }, { "not valid JSON", "{\"a\" 1}" },
		{ "not valid JSON", "{\"a\":}" }, { "not valid JSON", "{a:1}" }, { "not valid JSON", "{1:1}" },
		{ "not valid JSON", "{\"a\":1]" }, { "not valid JSON", "[1}" },
		{ "not valid JSON", "[1/**/]" }, { "not valid JSON", "[\v1]" }, { "not valid JSON", "[\f]" },
		{ "not valid JSON", "[\xc2\xa0]" }, { "not valid JSON", "[\x01]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].reason);
}

static void
numbers_that_would_be_bent_are_refused(void **state)
{
	static const struct refusal cases[] = {
		{ "number with a leading zero", "[01]" }, { "number with a leading zero", "[-01]" },
		{ "number with a leading zero", "[00]" },
		{ "number without digits after its point", "[1.]" },
		{ "number without digits after its point", "[1.e5]" },
		{ "number without digits in its exponent", "[1e]" },
		{ "number without digits in its exponent", "[1e+]" },
		{ "number without digits in its exponent", "[1e+-1]" },
		{ "not valid JSON", "[.5]" }, { "not valid JSON", "[+1]" }, { "not valid JSON", "[--1]" },
		{ "not valid JSON", "[0x10]" }, { "not valid JSON", "[1_000]" }, { "not valid JSON", "[1.5.5]" },
		{ "number of more than 18 digits", "[1234567890123456789]" },
		{ "number of more than 18 digits", "[-1234567890123456789]" },
		{ "number of more than 18 digits", "[99999999999999999999]" },
		{ "number of more than 18 digits", "[1.234567890123456789]" },
		{ "number of more than 18 digits", "[0.0000000000000000000000000000001]" },
		{ "number of more than 18 digits", "[1e000000000000000000]" },
		{ "number out of range", "[1e400]" }, { "number out of range", "[-1e400]" },
		{ "number out of range", "[1e99999999]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].reason);
}

static void
strings_that_postgresql_would_refuse_or_cut_are_refused(void **state)
{
	static const struct refusal cases[] = {
		{ "control character in a string", "[\"a\nb\"]" },
		{ "control character in a string", "[\"\x01\"]" },
		{ "control character in a string", "{\"\t\":1}" },
		{ "not valid UTF-8", "[\"\xc0\x80\"]" }, { "not valid UTF-8", "[\"\xe0\x80\xaf\"]" },
		{ "not valid UTF-8", "[\"\xed\xa0\x80\"]" }, { "not valid UTF-8", "[\"\xf4\x90\x80\x80\"]" },
		{ "not valid UTF-8", "[\"\xff\"]" }, { "not valid UTF-8", "[\"\xc3\"]" },
		{ "not valid UTF-8", "[\"\xd0" }, { "not valid UTF-8", "{\"\xc0\x80\":1}" },
		{ "lone surrogate", "[\"\\ud800\"]" }, { "lone surrogate", "[\"\\udc00\"]" },
		{ "lone surrogate", "[\"\\ud800\\ud800\"]" }, { "lone surrogate", "[\"\\ud800x\"]" },
		{ "lone surrogate", "[\"\\ud800\\n\"]" }, { "lone surrogate", "{\"\\udfff\":1}" },
		{ "NUL character", "[\"\\u0000\"]" }, { "NUL character", "[\"ab\\u0000cd\"]" },
		{ "NUL character", "{\"a\\u0000b\":1,\"a\":2}" },
		{ "\\u without four hexadecimal digits", "[\"\\u12\"]" },
		{ "\\u without four hexadecimal digits", "[\"\\u12g4\"]" },
		{ "\\u without four hexadecimal digits", "[\"\\u+123\"]" },
		{ "\\u without four hexadecimal digits", "[\"\\ud800\\u12\"]" },
		{ "\\u without four hexadecimal digits", "[\"\\u" },
		{ "unknown escape in a string", "[\"\\x41\"]" }, { "unknown escape in a string", "[\"\\'\"]" },
		{ "unknown escape in a string", "[\"\\U0041\"]" }, { "unknown escape in a string", "[\"\\" },
		{ "unknown escape in a string", "[\"\\\n\"]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].reason);
}

static void
nothing_hides_behind_a_nul(void **state)
{
	(void)state;
	assert_refused("{}\0", 3, "text after the end");
	assert_refused("{}\0{\"a\":1}", 10, "text after the end");
	assert_refused("\0{}", 3, "not an object or an array");
	assert_refused("[\0]", 3, "NUL character");
	assert_refused("[1\0]", 4, "NUL character");
	assert_refused("[\"a\0b\"]", 7, "control character in a string");
	assert_refused("[\"\\\0\"]", 6, "unknown escape in a string");
}

static void
a_name_given_twice_is_refused(void **state)
{
	static const char *const cases[] = {
		"{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}",
		"{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":1,\"\\u0061\":2}", "{\"/\":1,\"\\/\":2}",
		"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", "{\"\":1,\"\":2}",
		"[[{\"x\":{\"a\":1,\"a\":2}}]]", "{\"a\":{\"b\":1},\"c\":{\"a\":1},\"a\":3}",
		"{\"x\":[{\"a\":1},{\"a\":1,\"a\":1}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_refused(cases[i], strlen(cases[i]), "duplicate member");
}

static void
nesting_ends_at_thirty_two(void **state)
{
	struct buffer text = BUFFER_INIT;

	(void)state;
	assert_refused(DEEP("[") "[]" DEEP("]"), 66, "nested too deeply");
	assert_refused(DEEP("[") "{}" DEEP("]"), 66, "nested too deeply");
	for (int i = 0; i < 200000; i++)
		buffer_puts(&text, "{\"a\":");
	assert_refused(text.data, text.length, "nested too deeply");
	buffer_free(&text);
}

static void
a_hundred_thousand_names_are_no_burden(void **state)
{
	struct buffer text = BUFFER_INIT;
	struct json_object *value;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buffer_printf(&text, "%s\"k%d\":%d", i > 0 ? "," : "{", i * 7919 % 100000, i);
	buffer_putc(&text, '}');
	value = parsed(buffer_text(&text));
	assert_int_equal(json_object_object_length(value), 100000);
	json_object_put(value);
	text.length--;
	buffer_puts(&text, ",\"k99999\":0}");
	assert_refused(text.data, text.length, "duplicate member");
	buffer_free(&text);
}

/* Whatever bytes come, it is a value or a reason, and never a crash. */
static void
mangled_text_never_confuses_guard_and_parser(void **state)
{
	static const char seed[] = "{\"a\":[1,-2.5e3,\"\\u00e9\\n\xd0\x96\"],\"b\":{\"c\":null,\"d\":true}}";
	static const char bytes[] = "{}[]:,\"\\'-+.eE019utnfa \n\x80\xd0\xff";
	char text[sizeof(seed)];

	(void)state;
	srandom(7);
	for (int round = 0; round < 50000; round++) {
		size_t length = sizeof(seed) - 1 - (round % 4 == 0 ? (size_t)random() % 20 : 0);
		struct json_object *value;
		const char *reason;

		memcpy(text, seed, sizeof(seed));
		for (int k = 0; k <= round % 3; k++)
			text[(size_t)random() % length] = bytes[(size_t)random() % sizeof(bytes)];
		value = json_parse(text, length, &reason);
		assert_true((value == NULL) == (reason != NULL));
		json_object_put(value);
	}
}

static void
members_are_read_by_their_type_only(void **state)
{
	struct json_object *object = parsed("{\"s\":\"x\",\"i\":42,\"n\":null,\"b\":true,\"f\":false,"
		"\"d\":1.0,\"t\":\"12\",\"a\":[1],\"big\":-999999999999999999}");
	struct json_object *array = parsed("[1]");

	(void)state;
	assert_string_equal(json_member_string(object, "s"), "x");
	assert_null(json_member_string(object, "i"));
	assert_null(json_member_string(object, "n"));
	assert_null(json_member_string(object, "missing"));
	assert_int_equal(json_member_int(object, "i", 7), 42);
	assert_int_equal(json_member_int(object, "big", 7), INT64_C(-999999999999999999));
	assert_int_equal(json_member_int(object, "t", 7), 7);
	assert_int_equal(json_member_int(object, "d", 7), 7);
	assert_int_equal(json_member_int(object, "b", 7), 7);
	assert_int_equal(json_member_int(object, "missing", 7), 7);
	assert_true(json_member_bool(object, "b", false));
	assert_false(json_member_bool(object, "f", true));
	assert_true(json_member_bool(object, "i", true));
	assert_false(json_member_bool(object, "missing", false));
	assert_non_null(json_member(object, "a"));
	assert_null(json_member(object, "n"));
	assert_null(json_member(object, "missing"));
	assert_null(json_member(array, "a"));
	assert_null(json_member(NULL, "a"));
	assert_null(json_member_string(NULL, "a"));
	json_object_put(object);
	json_object_put(array);
}

static void
strings_are_escaped_as_far_as_needed(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ NULL, "null" }, { "", "\"\"" }, { "plain", "\"plain\"" }, { "a/b", "\"a/b\"" },
		{ "\"\\", "\"\\\"\\\\\"" }, { "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" }, { "Олена 😀", "\"Олена 😀\"" },
		{ "a\nb\nc", "\"a\\nb\\nc\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct buffer out = BUFFER_INIT;

		json_write_string(&out, cases[i].text);
		assert_string_equal(buffer_text(&out), cases[i].expected);
		buffer_free(&out);
	}
}

static void
objects_are_written_member_by_member(void **state)
{
	struct buffer out = BUFFER_INIT;
	struct json_object *value = parsed("[1,\"/\"]");

	(void)state;
	buffer_putc(&out, '{');
	json_write_string_member(&out, "s", "{");
	json_write_string_member(&out, "n", NULL);
	json_write_int_member(&out, "i", INT64_MIN);
	json_write_bool_member(&out, "t", true);
	json_write_bool_member(&out, "\"", false);
	json_write_name(&out, "v");
	json_write_value(&out, value);
	json_write_name(&out, "z");
	json_write_value(&out, NULL);
	json_write_name(&out, "a");
	buffer_putc(&out, '[');
	for (int i = 0; i < 3; i++) {
		json_write_separator(&out);
		buffer_puts(&out, "{}");
	}
	buffer_puts(&out, "]}");
	assert_string_equal(buffer_text(&out), "{\"s\":\"{\",\"n\":null,\"i\":-9223372036854775808,"
		"\"t\":true,\"\\\"\":false,\"v\":[1,\"/\"],\"z\":null,\"a\":[{},{},{}]}");
	json_object_put(value);
	buffer_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_accepted_and_written_back),
		cmocka_unit_test(what_is_not_json_is_refused_with_its_reason),
		cmocka_unit_test(numbers_that_would_be_bent_are_refused),
		cmocka_unit_test(strings_that_postgresql_would_refuse_or_cut_are_refused),
		cmocka_unit_test(nothing_hides_behind_a_nul),
		cmocka_unit_test(a_name_given_twice_is_refused),
		cmocka_unit_test(nesting_ends_at_thirty_two),
		cmocka_unit_test(a_hundred_thousand_names_are_no_burden),
		cmocka_unit_test(mangled_text_never_confuses_guard_and_parser),
		cmocka_unit_test(members_are_read_by_their_type_only),
		cmocka_unit_test(strings_are_escaped_as_far_as_needed),
		cmocka_unit_test(objects_are_written_member_by_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
