/* pgarray: elements as PostgreSQL prints them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "pgarray.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
elements_come_in_order_and_unquoted(void **state)
{
	static const struct {
		const char *array;
		int count;
		const char *elements[3];	/* NULL: an SQL NULL */
	} cases[] = {
		{ "{}", 0, { NULL } },
		{ "{a}", 1, { "a" } },
		{ "{1,-2,30}", 3, { "1", "-2", "30" } },
		{ "{\"\"}", 1, { "" } },
		{ "{\"a b\",\"c,d\",\"{e}\"}", 3, { "a b", "c,d", "{e}" } },
		{ "{\"say \\\"hi\\\"\",\"back\\\\slash\",\"\\\\\"}", 3, { "say \"hi\"", "back\\slash", "\\" } },
		{ "{NULL}", 1, { NULL } },
		{ "{a,NULL,\"NULL\"}", 3, { "a", NULL, "NULL" } },
		{ "{null,nULL}", 2, { "null", "nULL" } },
		{ "{товар:перегляд,\"пів слова\"}", 2, { "товар:перегляд", "пів слова" } },
	};
	struct buffer element = BUFFER_INIT;
	bool is_null;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *at = cases[i].array;
		int count = 0;

		for (; pgarray_next(&at, &element, &is_null); count++) {
			const char *expected = cases[i].elements[count];

			assert_true(count < cases[i].count);
			assert_int_equal(is_null, expected == NULL);
			if (expected != NULL)
				assert_string_equal(buffer_text(&element), expected);
		}
		assert_int_equal(count, cases[i].count);
		assert_false(pgarray_next(&at, &element, &is_null));	/* and again none */
	}
	buffer_free(&element);
}

static void
read_in_silence(const char *array)
{
	struct buffer element = BUFFER_INIT;
	bool is_null;

	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
	signal(SIGABRT, SIG_DFL);
	close(STDERR_FILENO);
	while (pgarray_next(&array, &element, &is_null))
		continue;
	_exit(EXIT_SUCCESS);
}

static void
text_that_is_no_such_array_aborts(void **state)
{
	static const char *const cases[] = { "", "a", "{", "{a", "{a,", "{a,}", "{,a}", "{\"a}", "{\"a\\",
		"{\"a\"b}", "{{a},{b}}", "{a}b", "[0:1]={a,b}", "{a\"b\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			read_in_silence(cases[i]);
		assert_int_equal(waitpid(child, &status, 0), child);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("read \"%s\"", cases[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_come_in_order_and_unquoted),
		cmocka_unit_test(text_that_is_no_such_array_aborts),
	};

	return cmocka_run_group_tests_name("pgarray", tests, NULL, NULL);
}
