/* uuid: ids grow, never repeat in threads and children, and have one spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "uuid.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

static int64_t
ms_of(const struct uuid *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->bytes[i];
	return ms;
}

static void
an_id_carries_version_variant_and_the_present_moment(void **state)
{
	struct uuid id = uuid_make();
	int64_t now = (int64_t)time(NULL) * 1000;

	(void)state;
	assert_int_equal(id.bytes[6] >> 4, 7);
	assert_int_equal(id.bytes[8] >> 6, 2);
	assert_in_range(ms_of(&id), now - 5000, now + 5000);
}

static void
ids_of_one_process_strictly_grow(void **state)
{
	struct uuid before = uuid_make(), id;
	int same_ms = 0;

	(void)state;
	for (int i = 0; i < 100000; i++, before = id) {
		id = uuid_make();
		if (compare(&before, &id) >= 0)
			fail_msg("id %d does not grow", i);
		same_ms += ms_of(&before) == ms_of(&id);
	}
	/* Otherwise this has shown nothing. */
	assert_true(same_ms > 1000);
}

enum { THREADS = 4, IDS_EACH = 20000 };

static void *
make_many(void *ids)
{
	for (int i = 0; i < IDS_EACH; i++)
		((struct uuid *)ids)[i] = uuid_make();
	return NULL;
}

static void
assert_distinct(struct uuid *ids, size_t count)
{
	qsort(ids, count, sizeof(*ids), compare);
	for (size_t i = 1; i < count; i++)
		assert_false(uuid_equal(&ids[i - 1], &ids[i]));
}

static void
threads_never_make_the_same_id(void **state)
{
	struct uuid *ids = calloc(THREADS * IDS_EACH, sizeof(*ids));
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_many, ids + i * IDS_EACH), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_distinct(ids, THREADS * IDS_EACH);
	free(ids);
}

static void
fork_writer(int fd)
{
	struct uuid id = uuid_make();

	_exit(write(fd, &id, sizeof(id)) == sizeof(id) ? 0 : 1);
}

/* Children of one moment inherit one state: only new random bits keep their ids
 * apart. A first step of the parent's counter would lie within 2^32 of it. */
static void
children_take_random_bits_of_their_own(void **state)
{
	enum { CHILDREN = 50 };
	struct uuid ids[2 * CHILDREN];
	int fds[2], status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (int i = 0; i < CHILDREN; i++) {
		struct uuid parent = uuid_make();
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			fork_writer(fds[1]);
		assert_int_equal(read(fds[0], &ids[2 * i], sizeof(ids[0])), sizeof(ids[0]));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_memory_not_equal(ids[2 * i].bytes + 8, parent.bytes + 8, 4);
		ids[2 * i + 1] = uuid_make();
	}
	assert_distinct(ids, 2 * CHILDREN);
	close(fds[0]);
	close(fds[1]);
}

static void
a_moment_is_the_lower_bound_of_its_ids(void **state)
{
	static const struct {
		int64_t unix_ms;
		const char *text;
	} cases[] = {
		{ 0, "00000000-0000-7000-8000-000000000000" },
		{ 1, "00000000-0001-7000-8000-000000000000" },
		{ INT64_C(1645557742000), "017f22e2-79b0-7000-8000-000000000000" },
		{ INT64_MIN, "00000000-0000-7000-8000-000000000000" },
		{ INT64_MAX, "ffffffff-ffff-7000-8000-000000000000" },
	};
	char text[UUID_TEXT_SIZE];
	struct uuid id, bound;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		bound = uuid_at(cases[i].unix_ms);
		uuid_format(&bound, text);
		assert_string_equal(text, cases[i].text);
	}
	id = uuid_make();
	bound = uuid_at(ms_of(&id));
	assert_true(compare(&bound, &id) <= 0);
	bound = uuid_at(ms_of(&id) + 1);
	assert_true(compare(&bound, &id) > 0);
}

static void
text_comes_back_in_either_case(void **state)
{
	struct uuid id, again;
	char text[UUID_TEXT_SIZE];

	(void)state;
	uuid_make_text(text);
	assert_true(uuid_parse(text, &id));
	assert_true(uuid_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &id));
	uuid_format(&id, text);
	assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
	assert_true(uuid_parse(text, &again));
	assert_true(uuid_equal(&id, &again));
	again.bytes[15] ^= 1;
	assert_false(uuid_equal(&id, &again));
}

static void
text_that_is_no_uuid_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "-", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
		"017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
		"017f22e-279b0-7cc3-98c4-dc0c0c07398f", " 17f22e2-79b0-7cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398\n", "------------------------------------",
		"017f22e2-79b0-7cc3-98c4-dc0c0c0739\xc3\xa9", "../../../../../../../../../../../../",
	};
	struct uuid id;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		if (uuid_parse(cases[i], &id))
			fail_msg("accepted \"%s\"", cases[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_carries_version_variant_and_the_present_moment),
		cmocka_unit_test(ids_of_one_process_strictly_grow),
		cmocka_unit_test(threads_never_make_the_same_id),
		cmocka_unit_test(children_take_random_bits_of_their_own),
		cmocka_unit_test(a_moment_is_the_lower_bound_of_its_ids),
		cmocka_unit_test(text_comes_back_in_either_case),
		cmocka_unit_test(text_that_is_no_uuid_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
