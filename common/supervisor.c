/*
 * supervisor: forks children, reaps them, starts them again, stops them.
 *
 * One loop around sigtimedwait: the signals that matter stay blocked in the
 * supervisor, so there is no handler and nothing to race with. It owns the
 * processes and their entries in the shared page; what the children do is theirs.
 *
 * Always true: a child has a pid, or a time at which it is started. Whatever it
 * held in the shared page is freed before another one gets its number.
 */
#include "supervisor.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "shared_page.h"

#define FIRST_DELAY_MS 100
#define LONGEST_DELAY_MS 10000
#define HEALTHY_LIFE_MS 60000	/* after this a death is not counted with those before */
#define BUSY_CHECK_MS 500
#define ORPHAN_GRACE_S 2	/* beyond the deadline, for a child that nobody watches */

struct child {
	const struct child_spec *spec;
	int number, instance;
	pid_t pid;		/* 0: not running */
	int64_t since_ms;	/* running: started then; otherwise: to be started then */
	int64_t delay_ms;	/* before the next start but one */
	bool killed;		/* SIGKILL is on its way */
};

struct supervisor {
	struct child children[CHILDREN_MAX];
	int count;
	void *context;
	struct shared_page *page;
	int stop_deadline_s;
	bool watches_busy;
	bool ended_badly;	/* a child failed while it was stopping */
	sigset_t awaited;
	sigset_t inherited;	/* the mask that we were started with */
};

/* In children only. */
static volatile sig_atomic_t stop_requested;
static void (*volatile stop_interrupt)(void);
static unsigned last_resort_s;

bool
supervisor_stopping(void)
{
	return stop_requested != 0;
}

void
supervisor_on_stop(void (*interrupt)(void))
{
	stop_interrupt = interrupt;
}

/* If the supervisor has died, nobody will kill a child that hangs: SIGALRM does.
 * While it lives, it kills first. */
static void
request_stop(int signal_number)
{
	void (*interrupt)(void) = stop_interrupt;
	int saved = errno;

	(void)signal_number;
	stop_requested = 1;
	alarm(last_resort_s);
	if (interrupt)
		interrupt();
	errno = saved;
}

static void
child_install_signals(const struct supervisor *supervisor)
{
	struct sigaction stop = { .sa_handler = request_stop };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	/* No SA_RESTART: a child that waits shall wake up. */
	sigemptyset(&stop.sa_mask);
	sigaction(SIGTERM, &stop, NULL);
	/* Ctrl-C reaches the whole terminal group; only the supervisor decides. */
	sigaction(SIGINT, &ignore, NULL);
	/* libesmtp and libpq write to sockets whose other end may be gone. */
	sigaction(SIGPIPE, &ignore, NULL);

	last_resort_s = (unsigned)(supervisor->stop_deadline_s + ORPHAN_GRACE_S);
	stop_requested = 0;
	sigprocmask(SIG_SETMASK, &supervisor->inherited, NULL);
}

static void __attribute__((noreturn))
child_main(const struct supervisor *supervisor, const struct child *child, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It may have died before prctl; then no signal will come. */
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
	child_install_signals(supervisor);
	exit(child->spec->run(supervisor->context, child->number, child->instance));
}

/* After the k-th death in a row: at once, 100 ms, 200 ms, … 10 s. */
static void
child_schedule(struct child *child, int64_t now_ms)
{
	child->since_ms = now_ms + child->delay_ms;
	child->delay_ms = child->delay_ms == 0 ? FIRST_DELAY_MS : child->delay_ms * 2;
	if (child->delay_ms > LONGEST_DELAY_MS)
		child->delay_ms = LONGEST_DELAY_MS;
}

static void
child_start(const struct supervisor *supervisor, struct child *child)
{
	pid_t parent = getpid();

	fflush(NULL);		/* or the child would write it a second time */
	pid_t pid = fork();
	if (pid == 0)
		child_main(supervisor, child, parent);
	if (pid < 0) {
		log_error("could not start a child: fork failed", "child", child->spec->name,
			"reason", strerror(errno), NULL);
		child_schedule(child, clock_monotonic_ms());
		return;
	}
	child->pid = pid;
	child->since_ms = clock_monotonic_ms();
	child->killed = false;
	shared_page_meet_child(supervisor->page, child->number, child->spec->name, child->instance, (int)pid);
}

static void
start_due(struct supervisor *supervisor)
{
	int64_t now_ms = clock_monotonic_ms();

	for (int i = 0; i < supervisor->count; i++) {
		struct child *child = &supervisor->children[i];

		if (child->pid == 0 && child->since_ms <= now_ms)
			child_start(supervisor, child);
	}
}

static void
log_death(const struct child *child, pid_t pid, int status, bool stopping)
{
	char pid_text[16], how[48];

	snprintf(pid_text, sizeof(pid_text), "%ld", (long)pid);
	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
	else
		snprintf(how, sizeof(how), "exit code %d", WEXITSTATUS(status));
	log_error(stopping ? "a child failed while stopping" : "a child died, starting another", "child", child->spec->name,
		"pid", pid_text, "reason", how, NULL);
}

static struct child *
find_child(struct supervisor *supervisor, pid_t pid)
{
	for (int i = 0; i < supervisor->count; i++)
		if (supervisor->children[i].pid == pid)
			return &supervisor->children[i];
	return NULL;
}

/* Collects the dead. While stopping, a clean end is what we wait for. */
static void
reap(struct supervisor *supervisor, bool stopping)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *child = find_child(supervisor, pid);
		int64_t now_ms = clock_monotonic_ms();

		if (!child)	/* an orphan that we, as process 1, have inherited */
			continue;
		child->pid = 0;
		shared_page_forget_child(supervisor->page, child->number);
		if (stopping && WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		log_death(child, pid, status, stopping);
		if (stopping) {
			supervisor->ended_badly = true;
			continue;
		}
		metric_add(supervisor->page, METRIC_CHILD_RESTARTS, 1);
		if (now_ms - child->since_ms >= HEALTHY_LIFE_MS)
			child->delay_ms = 0;
		child_schedule(child, now_ms);
	}
}

static void
child_kill(struct child *child, const char *why)
{
	char pid_text[16];

	snprintf(pid_text, sizeof(pid_text), "%ld", (long)child->pid);
	log_error(why, "child", child->spec->name, "pid", pid_text, NULL);
	kill(child->pid, SIGKILL);
	child->killed = true;
}

static void
kill_overdue(struct supervisor *supervisor)
{
	int64_t now_ms = clock_monotonic_ms();

	for (int i = 0; i < supervisor->count; i++) {
		struct child *child = &supervisor->children[i];
		int64_t limit_ms = (int64_t)child->spec->busy_limit_s * 1000;
		int64_t busy_since_ms = child_busy_get(supervisor->page, child->number);

		if (child->pid != 0 && !child->killed && limit_ms > 0 && busy_since_ms > 0 &&
		    now_ms - busy_since_ms > limit_ms)
			child_kill(child, "killed a child that was busy past its limit");
	}
}

/* The next signal, or 0 when `until_ms` (0: for ever) has passed. */
static int
await_signal(const struct supervisor *supervisor, int64_t until_ms)
{
	struct timespec timeout = { 0 };
	int64_t left_ms = until_ms - clock_monotonic_ms();
	int signal_number;

	if (left_ms > 0) {
		timeout.tv_sec = left_ms / 1000;
		timeout.tv_nsec = left_ms % 1000 * 1000000;
	}
	signal_number = sigtimedwait(&supervisor->awaited, NULL, until_ms > 0 ? &timeout : NULL);
	return signal_number > 0 ? signal_number : 0;
}

/* When there is something to do without a signal; 0: never. */
static int64_t
next_wake_ms(const struct supervisor *supervisor)
{
	int64_t wake_ms = supervisor->watches_busy ? clock_monotonic_ms() + BUSY_CHECK_MS : 0;

	for (int i = 0; i < supervisor->count; i++) {
		const struct child *child = &supervisor->children[i];

		if (child->pid == 0 && (wake_ms == 0 || child->since_ms < wake_ms))
			wake_ms = child->since_ms;
	}
	return wake_ms;
}

static int
count_running(const struct supervisor *supervisor)
{
	int running = 0;

	for (int i = 0; i < supervisor->count; i++)
		running += supervisor->children[i].pid != 0;
	return running;
}

static void
terminate_all(const struct supervisor *supervisor)
{
	for (int i = 0; i < supervisor->count; i++)
		if (supervisor->children[i].pid != 0)
			kill(supervisor->children[i].pid, SIGTERM);
}

static int
stop_children(struct supervisor *supervisor)
{
	int64_t deadline_ms = clock_monotonic_ms() + (int64_t)supervisor->stop_deadline_s * 1000;

	terminate_all(supervisor);
	while (count_running(supervisor) > 0 && clock_monotonic_ms() < deadline_ms) {
		(void)await_signal(supervisor, deadline_ms);
		reap(supervisor, true);
	}
	if (count_running(supervisor) == 0)
		return supervisor->ended_badly ? EXIT_FAILURE : EXIT_SUCCESS;

	for (int i = 0; i < supervisor->count; i++)
		if (supervisor->children[i].pid != 0)
			child_kill(&supervisor->children[i], "killed a child that did not stop in time");
	while (count_running(supervisor) > 0) {
		(void)await_signal(supervisor, 0);
		reap(supervisor, true);
	}
	return EXIT_FAILURE;
}

static void
lay_out_children(struct supervisor *supervisor, const struct child_spec *specs, int spec_count)
{
	for (int i = 0; i < spec_count; i++) {
		supervisor->watches_busy |= specs[i].busy_limit_s > 0;
		for (int instance = 0; instance < specs[i].count; instance++) {
			assert(supervisor->count < CHILDREN_MAX);
			supervisor->children[supervisor->count] = (struct child){
				.spec = &specs[i], .number = supervisor->count, .instance = instance,
			};
			supervisor->count++;
		}
	}
}

static void
block_signals(struct supervisor *supervisor)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };

	sigemptyset(&supervisor->awaited);
	sigaddset(&supervisor->awaited, SIGCHLD);
	sigaddset(&supervisor->awaited, SIGTERM);
	sigaddset(&supervisor->awaited, SIGINT);
	sigprocmask(SIG_BLOCK, &supervisor->awaited, &supervisor->inherited);
	/* An inherited SIG_IGN discards even a blocked signal, and would reap children
	 * behind our back. SIGINT stays ignored where a shell has put us in the
	 * background: Ctrl-C is not for us then. */
	sigaction(SIGCHLD, &standard, NULL);
	sigaction(SIGTERM, &standard, NULL);
}

int
supervisor_run(const struct child_spec *specs, int spec_count, void *context,
	struct shared_page *page, int stop_deadline_s)
{
	struct supervisor supervisor = {
		.context = context, .page = page, .stop_deadline_s = stop_deadline_s,
	};
	int signal_number;
	int exit_code;

	/* A reader of our log that dies must not take us along; children inherit this. */
	signal(SIGPIPE, SIG_IGN);
	lay_out_children(&supervisor, specs, spec_count);
	block_signals(&supervisor);
	do {
		start_due(&supervisor);
		signal_number = await_signal(&supervisor, next_wake_ms(&supervisor));
		reap(&supervisor, false);
		kill_overdue(&supervisor);
	} while (signal_number != SIGTERM && signal_number != SIGINT);

	exit_code = stop_children(&supervisor);
	/* A second SIGTERM that waits by now would kill us with all done: discard it. */
	signal(SIGTERM, SIG_IGN);
	sigprocmask(SIG_SETMASK, &supervisor.inherited, NULL);
	return exit_code;
}
