/* entity_tag: lists of tags, strong and weak, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "entity_tag.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void
lists_are_read(void **state)
{
	static const struct {
		const char *header, *strong, *weak;	/* NULL: nothing that it could hold for */
	} cases[] = {
		{ "\"1\"", "1", "1" }, { "*", "*", "*" }, { "\"" HASH "\"", HASH, HASH }, { "\"1\",\"2\"", "1 2", "1 2" },
		{ ",, \"1\" ,\t, \"2\" ,", "1 2", "1 2" }, { "W/\"1\"", NULL, "1" }, { "W/\"1\", \"2\"", "2", "1 2" },
		{ "\"x\", \"2\"", "2", "2" }, { "\"a,b\", \"2\"", "2", "2" }, { "\"\", \"2\"", "2", "2" }, { "\"" HASH "0\"", NULL, "" },
		{ "\"*\"", NULL, "" }, { "\"\"", NULL, "" }, { "", NULL, "" }, { ",", NULL, "" }, { "1", NULL, NULL }, { "\"", NULL, NULL },
		{ "\"1", NULL, NULL }, { "1\"", NULL, NULL }, { "\"1\" \"2\"", NULL, NULL }, { "\"1\"\"2\"", NULL, NULL }, { "\"1\", 2", NULL, NULL },
		{ "\"1\", *", NULL, NULL }, { "*, \"1\"", NULL, NULL }, { "w/\"1\"", NULL, NULL }, { "W/ \"1\"", NULL, NULL }, { "W/", NULL, NULL },
		{ "\"1 2\"", NULL, NULL }, { "\"1\"; \"2\"", NULL, NULL }, { " *", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *const expected[] = { cases[i].strong, cases[i].weak };

		for (int weak = 0; weak < 2; weak++) {
			char tags[256];

			assert_int_equal(entity_tags_read(cases[i].header, weak, tags), expected[weak] != NULL);
			if (expected[weak] != NULL)
				assert_string_equal(tags, expected[weak]);
		}
	}
}

static void
one_of_them_is_enough_and_nothing_is_none(void **state)
{
	(void)state;
	assert_true(entity_tags_hold("1", "1"));
	assert_true(entity_tags_hold("10 1", "1"));
	assert_true(entity_tags_hold("10 1 2", "1"));
	assert_true(entity_tags_hold("*", "1"));
	assert_false(entity_tags_hold("10 11", "1"));
	assert_false(entity_tags_hold("1", "10"));
	assert_false(entity_tags_hold("1", ""));
	assert_false(entity_tags_hold("1", NULL));
	assert_false(entity_tags_hold("*", NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read),
		cmocka_unit_test(one_of_them_is_enough_and_nothing_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
