/* buffer: text grows, keeps to its limit, and says so once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

static void
an_untouched_buffer_reads_as_empty_text(void **state)
{
	struct buffer buffer = BUFFER_INIT;

	(void)state;
	assert_string_equal(buffer_text(&buffer), "");
	buffer_clear(&buffer);
	buffer_free(&buffer);
	buffer_free_secret(&buffer);
	buffer_free(NULL);
	buffer_free_secret(NULL);
}

static void
every_writer_appends_and_closes_with_nul(void **state)
{
	struct buffer buffer = BUFFER_INIT;

	(void)state;
	buffer_append(&buffer, NULL, 0);
	assert_int_equal(buffer.data[0], '\0');
	buffer_puts(&buffer, "a");
	buffer_putc(&buffer, 'b');
	buffer_append(&buffer, "cde", 2);
	buffer_printf(&buffer, "%d%%", 42);
	assert_string_equal(buffer_text(&buffer), "abcd42%");
	assert_int_equal(buffer.length, 7);
	buffer_clear(&buffer);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_printf(&buffer, "%s", "");
	assert_int_equal(buffer.length, 0);
	buffer_free(&buffer);
}

static void
text_survives_growth_and_holds_nul_bytes(void **state)
{
	struct buffer buffer = BUFFER_INIT;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buffer_putc(&buffer, (char)(i % 256));
	assert_int_equal(buffer.length, 10000);
	for (int i = 0; i < 10000; i++)
		assert_int_equal(buffer.data[i], (char)(i % 256));
	assert_int_equal(buffer.data[10000], '\0');
	buffer_printf(&buffer, "%9000d", 1);
	assert_int_equal(buffer.length, 19000);
	buffer_free_secret(&buffer);
	assert_null(buffer.data);
}

static void
a_limit_is_kept_and_what_follows_is_left_out_too(void **state)
{
	static const struct {
		size_t limit;
		const char *first, *second, *expected;
		bool overflowed;
	} cases[] = {
		{ 4, "ab", "cd", "abcd", false },
		{ 4, "ab", "cde", "ab", true },
		{ 4, "abcde", "f", "", true },
		{ 1, "a", "", "a", false },
		{ 1, "", "a", "a", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer buffer = { .limit = cases[i].limit };

		buffer_puts(&buffer, cases[i].first);
		buffer_printf(&buffer, "%s", cases[i].second);
		assert_string_equal(buffer_text(&buffer), cases[i].expected);
		assert_int_equal(buffer.overflowed, cases[i].overflowed);
		buffer_free(&buffer);
	}
}

static void
a_cleared_buffer_may_be_written_up_to_its_limit_again(void **state)
{
	struct buffer buffer = { .limit = 3 };

	(void)state;
	buffer_puts(&buffer, "abcd");
	assert_true(buffer.overflowed);
	buffer_clear(&buffer);
	assert_false(buffer.overflowed);
	buffer_puts(&buffer, "abc");
	assert_string_equal(buffer_text(&buffer), "abc");
	buffer_free(&buffer);
	buffer_puts(&buffer, "abcd");
	assert_true(buffer.overflowed);
	buffer_free(&buffer);
}

static void
taken_text_belongs_to_the_caller(void **state)
{
	struct buffer buffer = BUFFER_INIT;
	char *text;

	(void)state;
	text = buffer_take(&buffer);
	assert_string_equal(text, "");
	free(text);
	buffer_puts(&buffer, "mine");
	text = buffer_take(&buffer);
	assert_string_equal(text, "mine");
	assert_string_equal(buffer_text(&buffer), "");
	buffer_puts(&buffer, "next");
	assert_string_equal(text, "mine");
	free(text);
	buffer_free(&buffer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_untouched_buffer_reads_as_empty_text),
		cmocka_unit_test(every_writer_appends_and_closes_with_nul),
		cmocka_unit_test(text_survives_growth_and_holds_nul_bytes),
		cmocka_unit_test(a_limit_is_kept_and_what_follows_is_left_out_too),
		cmocka_unit_test(a_cleared_buffer_may_be_written_up_to_its_limit_again),
		cmocka_unit_test(taken_text_belongs_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
