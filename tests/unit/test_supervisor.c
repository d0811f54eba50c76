/* supervisor: real processes that die, hang, ignore signals and lose their parent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "shared_page.h"
#include "supervisor.h"

#define STARTS_MAX 64
#define PATIENCE_MS 10000

/* What the children tell the test, in memory that all of them share. */
struct diary {
	_Atomic int starts;	/* entries that are complete */
	_Atomic int taken;	/* and those that somebody has begun */
	_Atomic int64_t started_ms[STARTS_MAX];
	_Atomic int pids[STARTS_MAX];
	_Atomic int numbers[STARTS_MAX], instances[STARTS_MAX];
	_Atomic int stopped_well;
	struct shared_page *page;
};

static struct diary *
diary_create(void)
{
	struct diary *diary = mmap(NULL, sizeof(*diary), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(diary != MAP_FAILED);
	diary->page = shared_page_create(NULL, 0);
	return diary;
}

static void
write_start(struct diary *diary, int number, int instance)
{
	int start = atomic_fetch_add(&diary->taken, 1);

	assert_true(start < STARTS_MAX);
	diary->started_ms[start] = clock_monotonic_ms();
	diary->numbers[start] = number;
	diary->instances[start] = instance;
	diary->pids[start] = getpid();
	atomic_fetch_add(&diary->starts, 1);
}

static bool
wait_until(const _Atomic int *counter, int value)
{
	int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (atomic_load(counter) < value && clock_monotonic_ms() < deadline_ms)
		poll(NULL, 0, 2);
	return atomic_load(counter) >= value;
}

/* The program under test: a process whose only work is to supervise. */
static pid_t
start_supervisor(const struct child_spec *specs, int spec_count, struct diary *diary, int deadline_s)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(supervisor_run(specs, spec_count, diary, diary->page, deadline_s));
	return pid;
}

static int
exit_code_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int
run_until_stopped(void *context, int number, int instance)
{
	struct diary *diary = context;

	write_start(diary, number, instance);
	while (!supervisor_stopping())
		poll(NULL, 0, 50);
	atomic_fetch_add(&diary->stopped_well, 1);
	return 0;
}

static int
die_at_once(void *context, int number, int instance)
{
	struct diary *diary = context;

	write_start(context, number, instance);
	/* The last one lives, so that the end of the test meets no death. */
	while (atomic_load(&diary->starts) >= 6 && !supervisor_stopping())
		poll(NULL, 0, 5);
	return supervisor_stopping() ? 0 : 3;
}

/* Deaf to SIGTERM, as one that hangs in a system call may be. */
static int __attribute__((noreturn))
run_deaf(void *context, int number, int instance)
{
	signal(SIGTERM, SIG_IGN);
	write_start(context, number, instance);
	for (;;)
		pause();
}

/* Hangs although the flag is set. */
static int __attribute__((noreturn))
run_heedless(void *context, int number, int instance)
{
	write_start(context, number, instance);
	for (;;)
		pause();
}

static int
hang_while_busy(void *context, int number, int instance)
{
	struct diary *diary = context;
	bool is_first = atomic_load(&diary->starts) == 0;

	write_start(diary, number, instance);
	if (is_first)
		child_busy_set(diary->page, number, clock_monotonic_ms());
	while (!supervisor_stopping())
		poll(NULL, 0, 50);
	return 0;
}

static int
take_a_place_and_crash(void *context, int number, int instance)
{
	struct diary *diary = context;
	bool taken = hash_place_take(diary->page, number, 1);

	if (taken)
		write_start(diary, number, instance);
	while (atomic_load(&diary->starts) >= 3 && !supervisor_stopping())
		poll(NULL, 0, 5);
	if (supervisor_stopping())
		return 0;
	kill(getpid(), SIGKILL);
	return 0;
}

static void
sigterm_and_sigint_end_all_children_with_zero(void **state)
{
	static const struct child_spec specs[] = {
		{ "server", 3, run_until_stopped, 0 }, { "metrics", 0, run_until_stopped, 0 },
		{ "clock", 2, run_until_stopped, 0 },
	};
	static const int signals[] = { SIGTERM, SIGINT };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct diary *diary = diary_create();
		pid_t pid = start_supervisor(specs, 3, diary, 5);
		int by_number[5] = { 0 };

		assert_true(wait_until(&diary->starts, 5));
		for (int start = 0; start < 5; start++) {
			by_number[diary->numbers[start]]++;
			assert_int_equal(diary->instances[start], diary->numbers[start] % 3);
		}
		for (int number = 0; number < 5; number++)
			assert_int_equal(by_number[number], 1);

		kill(pid, signals[i]);
		assert_int_equal(exit_code_of(pid), 0);
		assert_int_equal(diary->stopped_well, 5);
		assert_int_equal(diary->starts, 5);
	}
}

static void
a_stop_during_the_first_forks_is_not_lost(void **state)
{
	static const struct child_spec specs[] = { { "server", 4, run_until_stopped, 0 } };

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct diary *diary = diary_create();
		pid_t pid = start_supervisor(specs, 1, diary, 5);

		/* From the first child's life on, the others are being forked. */
		assert_true(wait_until(&diary->starts, 1));
		kill(pid, SIGTERM);
		assert_int_equal(exit_code_of(pid), 0);
	}
}

static void
a_dead_child_is_started_again_at_once_and_then_ever_later(void **state)
{
	static const struct child_spec specs[] = {
		{ "sender", 1, die_at_once, 0 }, { "clock", 1, run_until_stopped, 0 },
	};
	/* Before the second, third, … start of the one that dies. */
	static const int64_t least_ms[] = { 0, 100, 200, 400 };
	struct diary *diary = diary_create();
	pid_t pid = start_supervisor(specs, 2, diary, 5);
	int64_t before_ms = 0;
	int seen = 0;

	(void)state;
	assert_true(wait_until(&diary->starts, 6));
	for (int start = 0; start < 6; start++) {
		int64_t started_ms = diary->started_ms[start];

		if (diary->numbers[start] != 0)
			continue;
		if (seen > 0)
			assert_true(started_ms - before_ms >= least_ms[seen - 1]);
		before_ms = started_ms;
		seen++;
	}
	assert_int_equal(seen, 5);
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
	assert_int_equal(diary->stopped_well, 1);
	assert_in_range(metric_get(diary->page, METRIC_CHILD_RESTARTS), 4, 5);
}

static void
what_a_killed_child_held_is_freed_before_the_next_one_starts(void **state)
{
	static const struct child_spec specs[] = { { "server", 1, take_a_place_and_crash, 0 } };
	struct diary *diary = diary_create();
	pid_t pid = start_supervisor(specs, 1, diary, 5);

	(void)state;
	/* Only who gets the one place writes his start. */
	assert_true(wait_until(&diary->starts, 3));
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
	assert_true(hash_place_take(diary->page, 9, 1));
}

static void
a_child_that_ignores_sigterm_is_killed_at_the_deadline(void **state)
{
	static const struct child_spec specs[] = {
		{ "sender", 1, run_deaf, 0 }, { "clock", 1, run_until_stopped, 0 },
	};
	struct diary *diary = diary_create();
	pid_t pid = start_supervisor(specs, 2, diary, 1);
	int64_t before_ms;

	(void)state;
	assert_true(wait_until(&diary->starts, 2));
	before_ms = clock_monotonic_ms();
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 1);
	assert_true(clock_monotonic_ms() - before_ms >= 1000);
	assert_int_equal(diary->stopped_well, 1);
	assert_int_equal(kill(diary->pids[0], 0), -1);
	assert_int_equal(kill(diary->pids[1], 0), -1);
}

static void
a_child_busy_past_its_limit_is_killed_and_another_starts(void **state)
{
	static const struct child_spec specs[] = { { "sender", 1, hang_while_busy, 1 } };
	struct diary *diary = diary_create();
	pid_t pid = start_supervisor(specs, 1, diary, 5);

	(void)state;
	assert_true(wait_until(&diary->starts, 2));
	assert_true(diary->started_ms[1] - diary->started_ms[0] >= 1000);
	/* The second is idle and stays. */
	poll(NULL, 0, 1200);
	assert_int_equal(diary->starts, 2);
	kill(pid, SIGTERM);
	assert_int_equal(exit_code_of(pid), 0);
}

static void
children_end_when_their_parent_is_killed(void **state)
{
	static const struct child_spec specs[] = {
		{ "server", 2, run_until_stopped, 0 }, { "sender", 1, run_heedless, 0 },
	};
	struct diary *diary = diary_create();
	pid_t pid;
	int status, by_alarm = 0;

	(void)state;
	/* So that the orphans become ours, and can be waited for. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	pid = start_supervisor(specs, 2, diary, 0);
	assert_true(wait_until(&diary->starts, 3));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int orphan = 0; orphan < 3; orphan++) {
		assert_true(waitpid(-1, &status, 0) > 0);
		by_alarm += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
	}
	assert_int_equal(diary->stopped_well, 2);
	assert_int_equal(by_alarm, 1);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sigterm_and_sigint_end_all_children_with_zero),
		cmocka_unit_test(a_stop_during_the_first_forks_is_not_lost),
		cmocka_unit_test(a_dead_child_is_started_again_at_once_and_then_ever_later),
		cmocka_unit_test(what_a_killed_child_held_is_freed_before_the_next_one_starts),
		cmocka_unit_test(a_child_that_ignores_sigterm_is_killed_at_the_deadline),
		cmocka_unit_test(a_child_busy_past_its_limit_is_killed_and_another_starts),
		cmocka_unit_test(children_end_when_their_parent_is_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
