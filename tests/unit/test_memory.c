/* memory: arenas give zeroed, aligned memory of any size that does not overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

static void
a_size_of_zero_yields_memory_that_can_be_freed(void **state)
{
	void *memory[] = { xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xrealloc(NULL, 0) };

	(void)state;
	for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
		assert_non_null(memory[i]);
		free(memory[i]);
	}
}

static void
arena_memory_is_zeroed_aligned_and_its_own(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 1024, 2047, 2048, 2049, 70000, 3 };
	enum { ROUNDS = 40, COUNT = sizeof(sizes) / sizeof(sizes[0]) };
	struct arena *arena = arena_create();
	unsigned char *pieces[ROUNDS * COUNT];

	(void)state;
	for (size_t i = 0; i < ROUNDS * COUNT; i++) {
		pieces[i] = arena_take(arena, sizes[i % COUNT]);
		assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
		for (size_t k = 0; k < sizes[i % COUNT]; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)(i % 255) + 1, sizes[i % COUNT]);
	}
	for (size_t i = 0; i < ROUNDS * COUNT; i++)
		for (size_t k = 0; k < sizes[i % COUNT]; k++)
			assert_int_equal(pieces[i][k], i % 255 + 1);
	arena_free(&arena);
	assert_null(arena);
	arena_free(&arena);
}

static void
arena_copies_end_in_nul(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	assert_string_equal(arena_copy(arena, ""), "");
	assert_string_equal(arena_copy(arena, "Олена"), "Олена");
	assert_string_equal(arena_copy_n(arena, "abcdef", 3), "abc");
	assert_string_equal(arena_copy_n(arena, NULL, 0), "");
	assert_string_equal(arena_printf(arena, "%s-%d", "x", 7), "x-7");
	assert_int_equal(strlen(arena_printf(arena, "%5000d", 1)), 5000);
	arena_free(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_of_zero_yields_memory_that_can_be_freed),
		cmocka_unit_test(arena_memory_is_zeroed_aligned_and_its_own),
		cmocka_unit_test(arena_copies_end_in_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
