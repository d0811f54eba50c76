/* permission: sets as PostgreSQL prints them, and who contains whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <string.h>

#include "memory.h"
#include "permission.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
set_up(void **state)
{
	*state = arena_create();
	return 0;
}

static int
tear_down(void **state)
{
	struct arena *arena = *state;

	arena_free(&arena);
	return 0;
}

static void
arrays_read_as_postgresql_prints_them(void **state)
{
	static const struct {
		const char *array;
		size_t count;
		const char *words[3];
	} cases[] = {
		{ NULL, 0, { NULL } },
		{ "{}", 0, { NULL } },
		{ "{*}", 1, { "*" } },
		{ "{users:read,product:view}", 2, { "users:read", "product:view" } },
		{ "{\"a b\",\"c,d\",\"e}\"}", 3, { "a b", "c,d", "e}" } },
		{ "{\"say \\\"hi\\\"\",\"back\\\\slash\",\"\"}", 3, { "say \"hi\"", "back\\slash", "" } },
		{ "{NULL}", 0, { NULL } },
		{ "{a,NULL,b}", 2, { "a", "b" } },
		{ "{\"NULL\"}", 1, { "NULL" } },
		{ "{товар:перегляд}", 1, { "товар:перегляд" } },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct permission_set set = permission_set_parse(*state, cases[i].array);

		assert_int_equal(set.count, cases[i].count);
		assert_true((set.words == NULL) == (set.count == 0));
		for (size_t k = 0; k < set.count; k++)
			assert_string_equal(set.words[k], cases[i].words[k]);
	}
}

static void
a_set_has_its_words_and_a_star_has_all(void **state)
{
	static const struct {
		const char *set, *word;
		bool has;
	} cases[] = {
		{ "{}", "users:read", false },
		{ "{}", "*", false },
		{ "{users:read}", "users:read", true },
		{ "{users:read}", "users:write", false },
		{ "{users:read}", "users:rea", false },
		{ "{users:read}", "users:reader", false },
		{ "{users:read}", "*", false },
		{ "{users:read,*}", "product:view", true },
		{ "{*}", "*", true },
		{ "{users:*}", "users:read", false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct permission_set set = permission_set_parse(*state, cases[i].set);

		if (permission_set_has(&set, cases[i].word) != cases[i].has)
			fail_msg("%s and %s", cases[i].set, cases[i].word);
	}
}

static void
a_set_contains_what_holds_nothing_more(void **state)
{
	static const struct {
		const char *outer, *inner;
		bool contains;
	} cases[] = {
		{ "{}", "{}", true },
		{ "{}", "{a:b}", false },
		{ "{a:b}", "{}", true },
		{ "{a:b,c:d}", "{c:d}", true },
		{ "{c:d}", "{a:b,c:d}", false },
		{ "{a:b}", "{a:b,a:b}", true },
		{ "{*}", "{a:b}", true },
		{ "{*}", "{*}", true },
		{ "{a:b}", "{*}", false },
		{ "{a:b,*}", "{c:d,*}", true },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct permission_set outer = permission_set_parse(*state, cases[i].outer);
		struct permission_set inner = permission_set_parse(*state, cases[i].inner);

		if (permission_set_contains(&outer, &inner) != cases[i].contains)
			fail_msg("%s and %s", cases[i].outer, cases[i].inner);
	}
}

static void
an_administrator_writes_users_and_roles(void **state)
{
	static const struct {
		const char *set;
		bool administers;
	} cases[] = {
		{ "{}", false },
		{ "{users:write}", false },
		{ "{roles:write}", false },
		{ "{roles:write,users:read,users:write}", true },
		{ "{*}", true },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct permission_set set = permission_set_parse(*state, cases[i].set);

		if (permission_set_administers(&set) != cases[i].administers)
			fail_msg("%s", cases[i].set);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arrays_read_as_postgresql_prints_them),
		cmocka_unit_test(a_set_has_its_words_and_a_star_has_all),
		cmocka_unit_test(a_set_contains_what_holds_nothing_more),
		cmocka_unit_test(an_administrator_writes_users_and_roles),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
