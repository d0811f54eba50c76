/* sheet: a workbook for which there is no room is no workbook. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"
#include "sheet.h"

#define ROWS 5000
#define NO_LIMIT 0

/* Files that grow no longer than so many bytes behave like those of a disk that is full. */
static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes != NO_LIMIT ? bytes : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool
write_workbook(struct sheet *sheet)
{
	char text[64];

	sheet_begin_book(sheet);
	for (int row = 0; row < ROWS; row++) {
		snprintf(text, sizeof(text), "user-%d@example.com", row);
		sheet_write_text(sheet, text);
		sheet_end_row(sheet);
	}
	return sheet_close_book(sheet, NULL, NULL);
}

static size_t
count_bytes(struct sheet *sheet)
{
	static uint8_t bytes[65536];
	size_t total = 0, length;

	while ((length = sheet_read_book(sheet, bytes, sizeof(bytes))) > 0)
		total += length;
	return total;
}

static void
a_workbook_that_has_room_is_written(void **state)
{
	struct sheet sheet;

	(void)state;
	assert_true(write_workbook(&sheet));
	assert_true(count_bytes(&sheet) > 10000);
	assert_int_equal(sheet.fault, SHEET_OK);
	sheet_free_book(&sheet);
}

/* The rows have some 400 kB before they are packed: they come to their end here, there, or
 * only when libxlsxwriter copies them with what stands around them. */
static void
one_that_has_none_says_so(void **state)
{
	static const rlim_t limits[] = { 1, 4096, 10000, 100000, 300000 };

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct sheet sheet;
		limit_files(limits[i]);
		const bool is_written = write_workbook(&sheet);
		limit_files(NO_LIMIT);
		assert_false(is_written);
		assert_int_equal(sheet.fault, SHEET_NO_ROOM);
		sheet_free_book(&sheet);
	}
}

/* Whatever the limit: it is whole, or it says that it is not. */
static void
none_is_written_in_part(void **state)
{
	struct sheet sheet;

	(void)state;
	assert_true(write_workbook(&sheet));
	const size_t whole = count_bytes(&sheet);
	sheet_free_book(&sheet);
	for (rlim_t limit = 300000; limit < 600000; limit += 10000) {
		limit_files(limit);
		const bool is_written = write_workbook(&sheet);
		limit_files(NO_LIMIT);
		if (is_written)
			assert_true(count_bytes(&sheet) + 16 >= whole);
		sheet_free_book(&sheet);
	}
}

static void
count_pulse(void *context)
{
	++*(int *)context;
}

/* Whoever waited for a large one to be packed lost what he held meanwhile. */
static void
who_waits_for_a_large_one_is_told_that_time_goes_by(void **state)
{
	struct sheet sheet;
	uint32_t noise = 1;
	char text[64];
	int pulses = 0;

	(void)state;
	sheet_begin_book(&sheet);
	for (int row = 0; row < 60000; row++) {
		for (int column = 0; column < 4; column++) {
			noise = noise * 1664525u + 1013904223u;
			snprintf(text, sizeof(text), "%08x-%d@example.com", (unsigned)noise, row);
			sheet_write_text(&sheet, text);
		}
		sheet_end_row(&sheet);
	}
	assert_true(sheet_close_book(&sheet, count_pulse, &pulses));
	assert_true(pulses > 0);
	assert_true(count_bytes(&sheet) > 0);
	sheet_free_book(&sheet);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_workbook_that_has_room_is_written),
		cmocka_unit_test(one_that_has_none_says_so),
		cmocka_unit_test(none_is_written_in_part),
		cmocka_unit_test(who_waits_for_a_large_one_is_told_that_time_goes_by),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
