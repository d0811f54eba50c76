/* hasher: every task completes once, in the loop; places are bounded and come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "hasher.h"
#include "shared_page.h"

#define CHILD 3
#define QUEUE 8

struct fixture {
	struct event_base *base;
	struct config config;
	struct shared_page *page;
	struct hasher *hasher;
	int completed;
	struct hash_result last;
	int lost;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->base = event_base_new();
	f->config.processes = 2;
	f->config.hash_threads = 4;
	f->config.hash_queue = QUEUE;
	f->config.password_cost = (struct password_cost){
		.scheme = SCHEME_ARGON2ID, .memory_kib = 64, .passes = 1, .lanes = 1,
	};
	f->page = shared_page_create(NULL, 0);
	f->hasher = hasher_create(f->base, &f->config, f->page, CHILD);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	hasher_free(&f->hasher);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void
on_hash(void *context, const struct hash_result *result)
{
	struct fixture *f = context;

	f->completed++;
	f->lost += result->is_lost;
	f->last = *result;
}

static void
wait_until_completed(struct fixture *f, int count)
{
	while (f->completed < count)
		event_base_loop(f->base, EVLOOP_ONCE);
	assert_int_equal(f->completed, count);
}

static struct hash_result
verify(struct fixture *f, const char *stored, const char *password)
{
	int before = f->completed;

	assert_true(hasher_reserve(f->hasher));
	hasher_verify(f->hasher, stored, password, on_hash, f);
	assert_int_equal(f->completed, before);		/* never inside the call */
	wait_until_completed(f, before + 1);
	return f->last;
}

static struct hash_result
make(struct fixture *f, const char *password)
{
	assert_true(hasher_reserve(f->hasher));
	hasher_make(f->hasher, password, on_hash, f);
	wait_until_completed(f, f->completed + 1);
	return f->last;
}

static void
a_hash_verifies_only_its_password(void **state)
{
	struct fixture *f = *state;
	struct hash_result made = make(f, "correct horse");

	assert_true(made.ok);
	assert_true(password_verify(made.hash, "correct horse"));
	assert_true(verify(f, made.hash, "correct horse").ok);
	assert_string_equal(f->last.hash, "");		/* of today's cost: stays */
	assert_false(verify(f, made.hash, "correct hors").ok);
	assert_false(verify(f, made.hash, "").ok);
}

static void
an_unknown_login_is_never_right(void **state)
{
	struct fixture *f = *state;

	assert_false(verify(f, NULL, "correct horse").ok);
	assert_string_equal(f->last.hash, "");
}

static void
an_outdated_hash_is_replaced_when_right(void **state)
{
	struct fixture *f = *state;
	struct password_cost old = f->config.password_cost;
	char stored[PASSWORD_HASH_SIZE];
	struct hash_result result;

	old.passes = 2;
	old.memory_kib = 32;
	assert_true(password_hash(&old, "correct horse", stored));
	assert_false(verify(f, stored, "wrong").ok);
	assert_string_equal(f->last.hash, "");
	assert_int_equal(metric_get(f->page, METRIC_PASSWORD_HASHES), 2);	/* no quicker than an unknown login */
	result = verify(f, stored, "correct horse");
	assert_int_equal(metric_get(f->page, METRIC_PASSWORD_HASHES), 4);
	assert_true(result.ok);
	assert_true(password_verify(result.hash, "correct horse"));
	assert_false(password_needs_rehash(&f->config.password_cost, result.hash));
}

static int
reserve_all(struct fixture *f)
{
	int places = 0;

	while (places < 1000 && hasher_reserve(f->hasher))
		places++;
	return places;
}

static void
places_are_bounded_and_come_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reserve_all(f), QUEUE);
	assert_int_equal(metric_get(f->page, METRIC_PASSWORD_REFUSALS), 1);
	hasher_release(f->hasher);
	assert_true(hasher_reserve(f->hasher));
	for (int i = 0; i < QUEUE; i++)
		hasher_make(f->hasher, "a long password", on_hash, f);
	wait_until_completed(f, QUEUE);
	assert_int_equal(reserve_all(f), QUEUE);
	for (int i = 0; i < QUEUE; i++)
		hasher_release(f->hasher);
}

static void
freeing_loses_what_waits_and_returns_its_places(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(reserve_all(f), QUEUE);
	for (int i = 0; i < QUEUE; i++)
		hasher_make(f->hasher, "a long password", on_hash, f);
	hasher_free(&f->hasher);
	assert_null(f->hasher);
	assert_int_equal(f->completed, QUEUE);
	assert_int_equal(f->lost, QUEUE);
	assert_false(f->last.ok);
	assert_string_equal(f->last.hash, "");
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->completed, QUEUE);
	for (int i = 0; i < QUEUE; i++)
		assert_true(hash_place_take(f->page, CHILD, QUEUE));
}

static void
chained(void *context, const struct hash_result *result)
{
	struct fixture *f = context;

	on_hash(f, result);
	assert_true(hasher_reserve(f->hasher));
	hasher_verify(f->hasher, result->hash, "a long password", on_hash, f);
}

static void
a_callback_may_queue_the_next(void **state)
{
	struct fixture *f = *state;

	assert_true(hasher_reserve(f->hasher));
	hasher_make(f->hasher, "a long password", chained, f);
	wait_until_completed(f, 2);
	assert_true(f->last.ok);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_hash_verifies_only_its_password),
		TEST(an_unknown_login_is_never_right),
		TEST(an_outdated_hash_is_replaced_when_right),
		TEST(places_are_bounded_and_come_back),
		TEST(freeing_loses_what_waits_and_returns_its_places),
		TEST(a_callback_may_queue_the_next),
	};

	return cmocka_run_group_tests_name("hasher", tests, NULL, NULL);
}
