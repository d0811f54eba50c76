/* shared_page: exact bounds between real processes, and what /metrics says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "lifecycle.h"
#include "shared_page.h"

#define CHILDREN 4

/* Runs `work` in CHILDREN processes at once and adds up what they return (< 256). */
static int
sum_of_children(struct shared_page *page, int (*work)(struct shared_page *page, int child))
{
	pid_t pids[CHILDREN];
	int gate[2], sum = 0;
	char byte;

	assert_int_equal(pipe(gate), 0);
	for (int child = 0; child < CHILDREN; child++) {
		pids[child] = fork();
		assert_true(pids[child] >= 0);
		if (pids[child] == 0) {
			/* They start together when the pipe is closed. */
			close(gate[1]);
			_exit(read(gate[0], &byte, 1) == 0 ? work(page, child) : 255);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int child = 0; child < CHILDREN; child++) {
		int status;

		assert_int_equal(waitpid(pids[child], &status, 0), pids[child]);
		assert_true(WIFEXITED(status));
		sum += WEXITSTATUS(status);
	}
	return sum;
}

static int
take_all_one_can(struct shared_page *page, int child)
{
	int taken = 0;

	for (int i = 0; i < 200; i++)
		taken += hash_place_take(page, child, 150);
	return taken;
}

static void
processes_together_take_as_many_places_as_there_are(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);

	(void)state;
	assert_int_equal(sum_of_children(page, take_all_one_can), 150);
	assert_false(hash_place_take(page, 0, 150));
	assert_true(hash_place_take(page, 0, 151));
}

/* How many places are free, seen by taking and returning them all. */
static int
count_free(struct shared_page *page, int limit)
{
	int count = 0;

	while (hash_place_take(page, CHILDREN_MAX - 1, limit))
		count++;
	for (int i = 0; i < count; i++)
		hash_place_return(page, CHILDREN_MAX - 1);
	return count;
}

static int
take_and_return_often(struct shared_page *page, int child)
{
	for (int i = 0; i < 20000; i++)
		if (hash_place_take(page, child, 3))
			hash_place_return(page, child);
	return 0;
}

static void
no_place_is_lost_or_found_in_a_scramble(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);

	(void)state;
	assert_int_equal(sum_of_children(page, take_and_return_often), 0);
	assert_int_equal(count_free(page, 3), 3);
}

static void
a_child_that_was_killed_anywhere_holds_no_place_after_it_is_forgotten(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);

	(void)state;
	assert_true(hash_place_take(page, 1, 8));
	for (int round = 0; round < 50; round++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			for (;;) {
				while (hash_place_take(page, 2, 8))
					continue;
				for (int i = 0; i < 7; i++)
					hash_place_return(page, 2);
			}
		}
		usleep(200 + (useconds_t)round * 37);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		shared_page_forget_child(page, 2);
		assert_int_equal(count_free(page, 8), 7);
	}
	hash_place_return(page, 1);
	assert_int_equal(count_free(page, 8), 8);
}

static void
forgetting_a_child_ends_its_being_busy(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);

	(void)state;
	child_busy_set(page, 3, 1234);
	child_busy_set(page, 4, 99);
	assert_int_equal(child_busy_get(page, 3), 1234);
	shared_page_forget_child(page, 3);
	assert_int_equal(child_busy_get(page, 3), 0);
	assert_int_equal(child_busy_get(page, 4), 99);
}

/* How often it gets in at once. */
static int
pass_all_one_can(struct shared_page *page, const char *key, int per_minute, struct rate_state *state)
{
	int passed = 0;

	while (rate_limit_pass(page, key, (int)strlen(key), per_minute, state))
		passed++;
	return passed;
}

static int
pass_as_often_as_one_may(struct shared_page *page, int child)
{
	struct rate_state state;
	int passed = 0;

	(void)child;
	for (int i = 0; i < 100; i++)
		passed += rate_limit_pass(page, "203.0.113.7", 11, 60, &state);
	return passed;
}

static void
a_limit_holds_for_all_processes_together(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	int64_t begun_ms = clock_monotonic_ms();
	int passed = sum_of_children(page, pass_as_often_as_one_may);

	(void)state;
	passed += pass_all_one_can(page, "203.0.113.7", 60, &rate);
	/* One more for each second that this has taken. */
	assert_in_range(passed, 60, 60 + (clock_monotonic_ms() - begun_ms) / 1000);
	assert_int_equal(rate.wait_s, 1);
	/* Another address is not concerned. */
	assert_true(rate_limit_pass(page, "203.0.113.8", 11, 60, &rate));
	assert_int_equal(rate.left, 59);
}

#define THREADS 8
#define KEYS 32

struct scramble {
	struct shared_page *page;
	_Atomic int passed[KEYS];
};

static void *
pass_with_every_key(void *context)
{
	struct scramble *scramble = context;
	struct rate_state rate;

	for (int i = 0; i < 300; i++)
		for (int key = 0; key < KEYS; key++)
			scramble->passed[key] += rate_limit_pass(scramble->page, &key, sizeof(key), 100, &rate);
	return NULL;
}

static void
threads_that_scramble_for_new_buckets_get_as_much_as_one_would(void **state)
{
	int64_t begun_ms = clock_monotonic_ms();

	(void)state;
	for (int round = 0; round < 10; round++) {
		struct scramble scramble = { .page = shared_page_create(NULL, 0) };
		pthread_t threads[THREADS];

		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, pass_with_every_key, &scramble), 0);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		for (int key = 0; key < KEYS; key++)
			assert_in_range(scramble.passed[key], 100, 100 + (clock_monotonic_ms() - begun_ms) / 600);
	}
}

static void
a_limit_recovers_at_its_average_rate(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	int64_t begun_ms = clock_monotonic_ms();
	int passed = pass_all_one_can(page, "x", 600, &rate);

	(void)state;
	/* 10 a second, however long all of this takes. */
	assert_in_range(passed, 600, 600 + (clock_monotonic_ms() - begun_ms) / 100);
	poll(NULL, 0, 350);
	passed += pass_all_one_can(page, "x", 600, &rate);
	assert_in_range(passed, 603, 600 + (clock_monotonic_ms() - begun_ms) / 100);
}

static void
whoever_waits_as_long_as_he_was_told_gets_in(void **state)
{
	(void)state;
	for (int per_minute = 30; per_minute <= 150; per_minute += 120) {
		struct shared_page *page = shared_page_create(NULL, 0);
		struct rate_state rate;

		assert_in_range(pass_all_one_can(page, "x", per_minute, &rate), per_minute, per_minute + 5);
		assert_in_range(rate.wait_s, 1, 2);
		poll(NULL, 0, rate.wait_s * 1000);
		assert_true(rate_limit_pass(page, "x", 1, per_minute, &rate));
	}
}

static void
a_slow_limit_says_how_long_to_wait(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	int64_t begun_ms = clock_monotonic_ms(), least_s;

	(void)state;
	assert_true(rate_limit_pass(page, "x", 1, 1, &rate));
	assert_int_equal(rate.left, 0);
	assert_int_equal(rate.wait_s, 60);
	assert_false(rate_limit_pass(page, "x", 1, 1, &rate));
	least_s = 59 - (clock_monotonic_ms() - begun_ms) / 1000;
	assert_in_range(rate.wait_s, least_s, 60);
	/* A refusal does not make it longer. */
	for (int i = 0; i < 1000; i++)
		assert_false(rate_limit_pass(page, "x", 1, 1, &rate));
	assert_in_range(rate.wait_s, 1, 60);
}

static void
a_bucket_says_what_is_left_and_when_it_is_full_again(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	int64_t begun_ms = clock_monotonic_ms();

	(void)state;
	for (int count = 1; count <= 60; count++) {
		assert_true(rate_limit_pass(page, "x", 1, 60, &rate));
		int64_t passed_s = (clock_monotonic_ms() - begun_ms) / 1000;
		assert_in_range(rate.left, 60 - count, 60 - count + passed_s);
		if (passed_s == 0)
			assert_int_equal(rate.wait_s, count < 60 ? count : 1);
	}
	/* The fastest that may be set. */
	assert_true(rate_limit_pass(page, "", 0, 1000000, &rate));
	assert_int_equal(rate.left, 999999);
	assert_int_equal(rate.wait_s, 1);
}

static void
keys_do_not_share_a_bucket(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	int refused = 0;

	(void)state;
	for (uint32_t key = 0; key < 10000; key++)
		refused += !rate_limit_pass(page, &key, sizeof(key), 1, &rate);
	/* 1.5 expected: pairs of one set and one tag. And a few whose set is full. */
	assert_in_range(refused, 0, 12);
}

/* Three times as many as there are buckets. */
static void
a_crowd_makes_others_wait_but_lets_nobody_pass_more_often(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;
	enum { CROWD = 200000 };
	unsigned char *passed = calloc(CROWD, 1);
	int all = 0;

	(void)state;
	assert_non_null(passed);
	for (int round = 0; round < 3; round++)
		for (uint32_t key = 0; key < CROWD; key++)
			passed[key] += rate_limit_pass(page, &key, sizeof(key), 1, &rate);
	for (uint32_t key = 0; key < CROWD; key++) {
		assert_in_range(passed[key], 0, 1);
		all += passed[key];
	}
	assert_in_range(all, 60000, 65536);
	free(passed);
}

static int
count_a_thousand(struct shared_page *page, int child)
{
	(void)child;
	for (int i = 0; i < 1000; i++) {
		metric_add(page, METRIC_PASSWORD_CHECKS, 1);
		metric_request(page, 0, 200, 700);
	}
	return 0;
}

static void
assert_says(const struct buffer *text, const char *expected)
{
	if (!strstr(buffer_text(text), expected))
		fail_msg("not found: %s\nin:\n%s", expected, buffer_text(text));
}

static int
remember_some(struct shared_page *page, int child)
{
	char key[32];

	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "token %d of %d", i, child);
		credential_remember(page, key);
	}
	return 0;
}

static void
whose_credential_was_right_all_processes_know_until_it_is_wrong(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	int known = 0;
	char key[32];

	(void)state;
	assert_false(credential_is_known(page, "token 7 of 0"));
	(void)sum_of_children(page, remember_some);
	for (int i = 0; i < 200 * CHILDREN; i++) {
		snprintf(key, sizeof(key), "token %d of %d", i % 200, i / 200);
		known += credential_is_known(page, key);
	}
	/* Who lost a race for a slot is a stranger for once. */
	assert_in_range(known, 200 * CHILDREN - 2, 200 * CHILDREN);
	credential_remember(page, "another");
	credential_remember(page, "another");
	assert_true(credential_is_known(page, "another"));
	credential_forget(page, "another");
	assert_false(credential_is_known(page, "another"));
	credential_forget(page, "never seen");
}

/* More than there is room for: the page stays as it is, and those of the last moments are known. */
static void
a_crowd_of_credentials_costs_some_of_them_their_place(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	int known = 0;
	char key[32];

	(void)state;
	for (int i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "token %d", i);
		credential_remember(page, key);
		assert_true(credential_is_known(page, key));
	}
	for (int i = 0; i < 200000; i++) {
		snprintf(key, sizeof(key), "token %d", i);
		known += credential_is_known(page, key);
	}
	assert_in_range(known, 60000, 65536);
}

static void
whether_there_is_room_is_asked_for_nothing(void **state)
{
	struct shared_page *page = shared_page_create(NULL, 0);
	struct rate_state rate;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(rate_limit_has_room(page, "x", 1, 1, &rate));
	assert_true(rate_limit_pass(page, "x", 1, 1, &rate));
	assert_false(rate_limit_has_room(page, "x", 1, 1, &rate));
	assert_in_range(rate.wait_s, 1, 60);
}

static void
counters_add_up_over_processes_and_are_written(void **state)
{
	static const char *const routes[] = { "GET /v1/users/{id}", "POST \"/v1\\x\n\"", "GET /never" };
	struct shared_page *page = shared_page_create(routes, 3);
	struct buffer text = BUFFER_INIT;

	(void)state;
	assert_int_equal(sum_of_children(page, count_a_thousand), 0);
	metric_request(page, 0, 404, 6000000);
	metric_request(page, 1, 503, 1000);
	metric_request(page, -1, 404, 10);
	metric_set(page, METRIC_PASSWORD_PLACES, 7);
	metric_set(page, METRIC_PASSWORD_PLACES, 5);
	assert_int_equal(metric_get(page, METRIC_PASSWORD_CHECKS), 4000);

	metrics_write(page, &text);
	assert_says(&text, "# HELP rollcall_password_checks_total Passwords compared with a stored hash.\n"
		"# TYPE rollcall_password_checks_total counter\nrollcall_password_checks_total 4000\n");
	assert_says(&text, "# TYPE rollcall_password_places gauge\nrollcall_password_places 5\n");
	assert_says(&text, "rollcall_lane_full_total{lane=\"read\"} 0\nrollcall_lane_full_total{lane=\"write\"} 0\n");
	assert_says(&text, "rollcall_requests_total{route=\"GET /v1/users/{id}\",status=\"2xx\"} 4000\n");
	assert_says(&text, "rollcall_requests_total{route=\"GET /v1/users/{id}\",status=\"4xx\"} 1\n");
	assert_says(&text, "rollcall_requests_total{route=\"POST \\\"/v1\\\\x\\n\\\"\",status=\"5xx\"} 1\n");
	assert_says(&text, "rollcall_requests_total{route=\"none\",status=\"4xx\"} 1\n");
	assert_says(&text, "_bucket{route=\"GET /v1/users/{id}\",le=\"0.0005\"} 0\n");
	assert_says(&text, "_bucket{route=\"GET /v1/users/{id}\",le=\"0.001\"} 4000\n");
	assert_says(&text, "_bucket{route=\"GET /v1/users/{id}\",le=\"5\"} 4000\n");
	assert_says(&text, "_bucket{route=\"GET /v1/users/{id}\",le=\"+Inf\"} 4001\n");
	assert_says(&text, "_sum{route=\"GET /v1/users/{id}\"} 8.800000\n");
	assert_says(&text, "_count{route=\"GET /v1/users/{id}\"} 4001\n");
	assert_null(strstr(buffer_text(&text), "never"));
	/* The worker looks after it. */
	assert_null(strstr(buffer_text(&text), "rollcall_mails_total"));
	buffer_free(&text);
}

static void
a_worker_writes_what_it_looks_after(void **state)
{
	static const char *const tasks[] = { "sweep", "purge" };
	struct shared_page *page = shared_page_create(NULL, 0);
	struct buffer text = BUFFER_INIT;

	(void)state;
	shared_page_name_tasks(page, tasks, 2);
	metric_add_by(page, METRIC_MAILS, MAIL_INVITATION, MAIL_COUNT_SENT, 3);
	metric_add_by(page, METRIC_MAILS, MAIL_KIND_COUNT, MAIL_COUNT_FAILED, 1);
	metric_observe(page, METRIC_TASK_DURATION, 1, 1500000);
	metric_observe(page, METRIC_TASK_DURATION, 1, 250000);
	assert_int_equal(metric_get(page, METRIC_MAILS), 4);

	metrics_write(page, &text);
	assert_says(&text, "rollcall_mails_total{kind=\"invitation\",outcome=\"sent\"} 3\n"
		"rollcall_mails_total{kind=\"invitation\",outcome=\"retried\"} 0\n");
	assert_says(&text, "rollcall_mails_total{kind=\"unknown\",outcome=\"failed\"} 1\n");
	assert_says(&text, "# TYPE rollcall_task_duration_seconds summary\n"
		"rollcall_task_duration_seconds_sum{task=\"sweep\"} 0.000000\nrollcall_task_duration_seconds_count{task=\"sweep\"} 0\n"
		"rollcall_task_duration_seconds_sum{task=\"purge\"} 1.750000\nrollcall_task_duration_seconds_count{task=\"purge\"} 2\n");
	/* Nobody has set these; requests are the server's. */
	assert_null(strstr(buffer_text(&text), "rollcall_mail_lane_held"));
	assert_null(strstr(buffer_text(&text), "rollcall_task_last_run"));
	assert_null(strstr(buffer_text(&text), "rollcall_requests"));
	buffer_free(&text);
}

static void
what_a_child_has_goes_with_it(void **state)
{
	static const char *const routes[] = { "GET /" };
	struct shared_page *page = shared_page_create(routes, 1);
	struct buffer text = BUFFER_INIT;

	(void)state;
	shared_page_meet_child(page, 3, "server", 1, getpid());
	metric_child_add(page, METRIC_LANE_WAITING, 1, 3, 5);
	metric_child_add(page, METRIC_LANE_WAITING, 1, 4, 2);
	metrics_write(page, &text);
	assert_says(&text, "rollcall_lane_jobs_waiting{lane=\"write\"} 7\n");
	assert_says(&text, "rollcall_process_open_fds{process=\"server-1\"} ");
	assert_says(&text, "rollcall_process_start_time_seconds{process=\"supervisor\"} ");
	buffer_free(&text);

	shared_page_forget_child(page, 3);
	metrics_write(page, &text);
	assert_says(&text, "rollcall_lane_jobs_waiting{lane=\"write\"} 2\n");
	assert_null(strstr(buffer_text(&text), "server-1"));
	buffer_free(&text);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_together_take_as_many_places_as_there_are),
		cmocka_unit_test(no_place_is_lost_or_found_in_a_scramble),
		cmocka_unit_test(a_child_that_was_killed_anywhere_holds_no_place_after_it_is_forgotten),
		cmocka_unit_test(forgetting_a_child_ends_its_being_busy),
		cmocka_unit_test(a_limit_holds_for_all_processes_together),
		cmocka_unit_test(a_limit_recovers_at_its_average_rate),
		cmocka_unit_test(a_slow_limit_says_how_long_to_wait),
		cmocka_unit_test(keys_do_not_share_a_bucket),
		cmocka_unit_test(a_crowd_makes_others_wait_but_lets_nobody_pass_more_often),
		cmocka_unit_test(threads_that_scramble_for_new_buckets_get_as_much_as_one_would),
		cmocka_unit_test(whoever_waits_as_long_as_he_was_told_gets_in),
		cmocka_unit_test(a_bucket_says_what_is_left_and_when_it_is_full_again),
		cmocka_unit_test(whether_there_is_room_is_asked_for_nothing),
		cmocka_unit_test(whose_credential_was_right_all_processes_know_until_it_is_wrong),
		cmocka_unit_test(a_crowd_of_credentials_costs_some_of_them_their_place),
		cmocka_unit_test(counters_add_up_over_processes_and_are_written),
		cmocka_unit_test(a_worker_writes_what_it_looks_after),
		cmocka_unit_test(what_a_child_has_goes_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
