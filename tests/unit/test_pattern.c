/* pattern: what an expression matches, what is none, and that nobody makes it slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "pattern.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
make_arena(void **state)
{
	*state = arena_create();
	return 0;
}

static int
drop_arena(void **state)
{
	struct arena *arena = *state;

	arena_free(&arena);
	return 0;
}

static void
a_text_is_matched_as_a_whole(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
		{ "", "", true }, { "", "a", false }, { "abc", "abc", true }, { "abc", "abcd", false }, { "abc", "xabc", false },
		{ "^abc$", "abc", true }, { "^abc$", "abcd", false }, { "^$", "", true }, { "a|", "", true },
		{ "a|bc|d", "bc", true }, { "a|bc|d", "abc", false }, { "^a|b$", "b", true }, { "^a|b$", "ab", false },
		{ "a*", "", true }, { "a*", "aaaa", true }, { "a*", "aab", false }, { "a+", "", false }, { "a+", "aa", true },
		{ "a?b", "b", true }, { "a?b", "ab", true }, { "a?b", "aab", false },
		{ "a{3}", "aaa", true }, { "a{3}", "aa", false }, { "a{3}", "aaaa", false }, { "a{0}", "", true },
		{ "a{2,}", "a", false }, { "a{2,}", "aaaaa", true }, { "a{0,}", "", true },
		{ "a{1,3}", "aaa", true }, { "a{1,3}", "aaaa", false }, { "a{0,2}b", "b", true }, { "a{0,2}b", "aaab", false },
		{ "(ab)+", "ababab", true }, { "(ab)+", "aba", false }, { "(?:ab|c){2}", "cab", true },
		{ "((a|b)c)*d", "acbcd", true }, { "()", "", true }, { "(a*)*", "aaa", true }, { "(a*)+b", "b", true },
		{ "(|a)+", "aa", true }, { "(a?){3}", "aa", true }, { "(a|ab)(c|bcd)", "abcd", true },
		{ "[abc]", "b", true }, { "[abc]", "d", false }, { "[a-c]+", "abcb", true }, { "[^a-c]", "d", true },
		{ "[^a-c]", "b", false }, { "[a-]", "-", true }, { "[-a]", "-", true }, { "[a\\]b]", "]", true },
		{ "[\\d-]+", "12-3", true }, { "[\\w.]+", "a_1.B", true }, { "[\\^a]", "^", true }, { "[a^]", "^", true },
		{ "[+*?.()|{}$]+", "+*?.()|{}$", true },
		{ "\\d{4}", "2026", true }, { "\\d", "x", false }, { "\\D", "x", true }, { "\\w+", "a_Z9", true }, { "\\W", "-", true },
		{ "\\s", " ", true }, { "\\S", " ", false }, { "\\.\\*\\\\\\$", ".*\\$", true }, { "\\$", "$", true }, { "a\\$", "a$", true },
		{ ".", "x", true }, { ".", "", false }, { ".", "\n", false }, { ".", "\r", false }, { "[^x]", "\n", true },
		/* characters, not bytes */
		{ "...", "Лев", true }, { ".{6}", "Лев", false }, { "[А-Я]{2}\\d{6}", "АА123456", true }, { "[а-яіїєґ]+", "їжак", true },
		{ "[^а]", "б", true }, { "日.*", "日本", true }, { "😀+", "😀😀", true }, { "[😀-😂]", "😁", true }, { "\\w", "ж", false },
		/* what is valid in one place is a character in another */
		{ "a-b", "a-b", true }, { "a,b:c=d!", "a,b:c=d!", true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *reason = NULL;
		struct pattern *pattern = pattern_compile(*state, cases[i].pattern, &reason);
		if (pattern == NULL)
			fail_msg("\"%s\" was refused: %s", cases[i].pattern, reason);
		else if (pattern_matches(pattern, cases[i].text) != cases[i].matches)
			fail_msg("\"%s\" on \"%s\"", cases[i].pattern, cases[i].text);
	}
}

static void
what_is_no_pattern_is_refused_with_a_reason(void **state)
{
	static const char *const texts[] = {
		"(", ")", "(a", "a)", "(?=a)", "(?!a)", "(?<n>a)", "(?i)a", "(?", "[", "[a", "[]", "[^]", "[]a]", "[b-a]", "[a-", "[a-\\d]", "[\\",
		"[[:alpha:]]", "[[.a.]]", "[[=a=]]", "]", "}", "a}", "*", "+a", "?", "{2}", "a**", "a+?", "a*+", "a?{2}", "a{2}{3}", "(*)", "|*",
		"a{", "a{,3}", "a{x}", "a{1", "a{1,", "a{1,2", "a{2,1}", "a{1001}", "a{1,1001}", "a{99999999999999999999}", "a{-1}",
		"\\", "a\\", "\\1", "(a)\\1", "\\0", "\\b", "\\B", "\\p{L}", "\\x41", "\\u0041", "\\n", "\\ж", "a^b", "a$b", "(^a)", "(a$)", "^^a",
		"a$$", "^*",
	};

	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *reason = NULL;
		if (pattern_compile(*state, texts[i], &reason) != NULL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_non_null(reason);
	}
}

static void
a_pattern_that_is_too_big_is_refused(void **state)
{
	static const char *const texts[] = {
		"(a{1,255}){1,255}", "((a{1,255}){1,255}){1,255}", "((((a{9}){9}){9}){9}){9}", "a{1000}", "(a|b|c){500}", "(((){1000}){1000}){1000}",
		"((((){0,9}){0,9}){0,9}){0,9}", "(a*){501}", "(.{0,99}){0,99}", "((((((((((a?){2}){2}){2}){2}){2}){2}){2}){2}){2}){2}",
	};
	const char *reason = NULL;
	char text[2 * PATTERN_LENGTH_MAX + 1];

	for (size_t i = 0; i < COUNT(texts); i++) {
		if (pattern_compile(*state, texts[i], &reason) != NULL)
			fail_msg("\"%s\" was taken", texts[i]);
		assert_non_null(strstr(reason, "too much"));
	}
	/* its length, in characters */
	for (size_t i = 0; i < PATTERN_LENGTH_MAX; i++)
		memcpy(text + 2 * i, "ж", 2);
	text[2 * PATTERN_LENGTH_MAX] = '\0';
	assert_non_null(pattern_compile(*state, text, &reason));
	memset(text, 'a', PATTERN_LENGTH_MAX + 1);
	text[PATTERN_LENGTH_MAX + 1] = '\0';
	assert_null(pattern_compile(*state, text, &reason));
	/* and its depth */
	snprintf(text, sizeof(text), "%.*sa%.*s", 20, "((((((((((((((((((((", 20, "))))))))))))))))))))");
	assert_non_null(pattern_compile(*state, text, &reason));
	snprintf(text, sizeof(text), "(%.*sa%.*s)", 20, "((((((((((((((((((((", 20, "))))))))))))))))))))");
	assert_null(pattern_compile(*state, text, &reason));
	/* groups beside each other are not deep */
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i < 60; i++)
		memcpy(text + 3 * i, "(a)", 3);
	assert_non_null(pattern_compile(*state, text, &reason));
}

/* The tables have room for whatever 200 characters can be. */
static void
the_largest_of_each_kind_fit(void **state)
{
	static const char *const parts[] = { ".", "\\w", "\\S", "[a]", "[\\w]", "ж", "a|", "a?", "(.)", "|" };
	char text[2 * PATTERN_LENGTH_MAX + 1], longest[1001];

	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < COUNT(parts); i++) {
		const size_t length = strlen(parts[i]), characters = strcmp(parts[i], "ж") == 0 ? 1 : length;
		const char *reason = NULL;
		size_t at = 0;

		for (size_t used = 0; used + characters <= PATTERN_LENGTH_MAX; used += characters, at += length)
			memcpy(text + at, parts[i], length);
		text[at] = '\0';
		struct pattern *pattern = pattern_compile(*state, text, &reason);
		assert_non_null(pattern);
		assert_false(pattern_matches(pattern, longest));
	}
	/* every character of a class makes a range */
	const char *reason = NULL;
	memset(text, 'x', PATTERN_LENGTH_MAX);
	text[0] = '[';
	text[PATTERN_LENGTH_MAX - 1] = ']';
	text[PATTERN_LENGTH_MAX] = '\0';
	assert_non_null(pattern_compile(*state, text, &reason));
}

/* Each of these takes a backtracking matcher for ever. */
static void
hostile_patterns_end(void **state)
{
	static const char *const texts[] = {
		"(a+)+b", "(a*)*b", "(a|a)*b", "(a|aa)+b", "(a|a?)+b", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)b", "(a?){120}a{120}b", "((a*)*)*b",
		"(a{0,15}){0,15}b", "([a-z]+)*!", "(.|\\w|[a-z])*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(((((a?)*)*)*)*)*b", "(|a|aa|aaa)*b",
	};
	char text[1001];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < COUNT(texts); i++) {
		const char *reason = NULL;
		struct pattern *pattern = pattern_compile(*state, texts[i], &reason);
		if (pattern == NULL)
			fail_msg("\"%s\" was refused: %s", texts[i], reason);
		else
			assert_false(pattern_matches(pattern, text));
	}
}

static void
append(char *text, size_t size, const char *more)
{
	const size_t length = strlen(text);

	snprintf(text + length, size - length, "%s", more);
}

/* A random expression that POSIX and we read alike. */
static void
write_random(char *text, size_t size, int depth, uint32_t *seed)
{
	static const char *const atoms[] = { "a", "b", "c", ".", "[ab]", "[^a]", "[b-c]" };
	static const char *const repeats[] = { "", "", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}" };
	const uint32_t parts = 1 + (*seed = *seed * 1664525 + 1013904223) / 65536 % 3;

	for (uint32_t i = 0; i < parts; i++) {
		*seed = *seed * 1664525 + 1013904223;
		const uint32_t dice = *seed / 65536;
		if (i > 0 && dice % 5 == 0)
			append(text, size, "|");
		if (depth > 0 && dice % 3 == 0) {
			append(text, size, "(");
			write_random(text, size, depth - 1, seed);
			append(text, size, ")");
		} else {
			append(text, size, atoms[dice / 3 % COUNT(atoms)]);
		}
		append(text, size, repeats[dice / 32 % COUNT(repeats)]);
	}
}

static void
it_agrees_with_posix(void **state)
{
	static const char *const texts[] = {
		"", "a", "b", "c", "aa", "ab", "ba", "bc", "cb", "abc", "aab", "bab", "ccc", "abab", "aabb", "bcbc", "cabc", "aaaa", "abcabc", "bbbbb",
		"aabbcc", "abcabcabc", "cccccc", "acacac",
	};
	uint32_t seed = 2026;

	for (int i = 0; i < 2000; i++) {
		char text[512] = "", whole[600];
		const char *reason = NULL;
		regex_t posix;

		write_random(text, sizeof(text), 2, &seed);
		struct pattern *pattern = pattern_compile(*state, text, &reason);
		if (pattern == NULL) {		/* written out it is too large */
			assert_true(strstr(reason, "too much") != NULL || strlen(text) > PATTERN_LENGTH_MAX);
			continue;
		}
		snprintf(whole, sizeof(whole), "^(%s)$", text);
		assert_int_equal(regcomp(&posix, whole, REG_EXTENDED | REG_NOSUB), 0);
		for (size_t at = 0; at < COUNT(texts); at++) {
			if (pattern_matches(pattern, texts[at]) != (regexec(&posix, texts[at], 0, NULL, 0) == 0))
				fail_msg("\"%s\" on \"%s\"", text, texts[at]);
		}
		regfree(&posix);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_text_is_matched_as_a_whole, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(what_is_no_pattern_is_refused_with_a_reason, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(a_pattern_that_is_too_big_is_refused, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(the_largest_of_each_kind_fit, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(it_agrees_with_posix, make_arena, drop_arena),
		cmocka_unit_test_setup_teardown(hostile_patterns_end, make_arena, drop_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
