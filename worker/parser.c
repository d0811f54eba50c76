/*
 * parser: gives a child a file's bytes, takes its rows, and ends it.
 *
 * Giving and taking go on at once: a child that writes before it has read all, or
 * reads nothing, blocks nobody. Whatever the child does, the loop ends at the deadline, and
 * no child outlives its call.
 */
#include "parser.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "memory.h"
#include "parser_child.h"
#include "parser_wire.h"

enum { DEADLINE_MS = 60000, WRITE_BYTES = 1 << 20 };

struct conversation {
	const struct parser_job *job;
	struct parser_file *file;
	pid_t child;
	int to, from;		/* our ends of the pipes; to: -1 when all is said */
	size_t sent;
	int64_t deadline_ms;	/* by the monotonic clock */
	enum parser_fault_kind fault;	/* what we found out ourselves */
	struct parser_wire wire;
};

static void
close_end(int *end)
{
	if (*end >= 0)
		close(*end);
	*end = -1;
}

static bool
start(struct conversation *talk)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };

	signal(SIGPIPE, SIG_IGN);
	if (pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0 && fcntl(to[1], F_SETFL, O_NONBLOCK) == 0)
		talk->child = parser_child_start(talk->job, to[0], from[1]);
	close_end(&to[0]);
	close_end(&from[1]);
	talk->to = to[1];
	talk->from = from[0];
	return talk->child > 0;
}

static int
time_left_ms(const struct conversation *talk)
{
	const int64_t left_ms = talk->deadline_ms - clock_monotonic_ms();

	return left_ms > 0 ? (int)left_ms : 0;
}

/* A child that stops reading may have found a fault already: that is no fault here. */
static void
give(struct conversation *talk)
{
	const size_t left = talk->job->length - talk->sent;
	const ssize_t given = write(talk->to, talk->job->bytes + talk->sent, left < WRITE_BYTES ? left : WRITE_BYTES);

	if (given > 0)
		talk->sent += (size_t)given;
	if (talk->sent == talk->job->length || (given < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&talk->to);
}

/* The time that the caller takes is not the child's. */
static bool
go_on(struct conversation *talk, bool wants_more, int64_t before_ms)
{
	talk->deadline_ms += clock_monotonic_ms() - before_ms;
	if (!wants_more)
		talk->fault = PARSER_FAULT_STOPPED;
	return wants_more;
}

static bool
hand_on(struct conversation *talk)
{
	const int64_t before_ms = clock_monotonic_ms();

	return go_on(talk, talk->job->take(talk->job->context, &talk->wire.row), before_ms);
}

/* Whatever the child does, the caller's own time goes on. */
static bool
tell_time(struct conversation *talk)
{
	const int64_t before_ms = clock_monotonic_ms();

	return talk->job->pulse == NULL || go_on(talk, talk->job->pulse(talk->job->context), before_ms);
}

/* True: go on. */
static bool
take_frames(struct conversation *talk)
{
	for (;;) {
		switch (parser_wire_next(&talk->wire)) {
		case PARSER_WIRE_MORE:
			return !talk->wire.has_ended;
		case PARSER_WIRE_FILE:
			*talk->file = talk->wire.file;
			break;
		case PARSER_WIRE_ROW:
			if (!hand_on(talk))
				return false;
			break;
		case PARSER_WIRE_END:
			break;
		case PARSER_WIRE_LIE:
			talk->fault = PARSER_FAULT_LIED;
			return false;
		}
	}
}

/* False: the child says no more, or need not. */
static bool
take_bytes(struct conversation *talk)
{
	size_t size;
	char *room = parser_wire_room(&talk->wire, &size);
	const ssize_t taken = read(talk->from, room, size);

	if (taken < 0)
		return errno == EINTR;
	if (taken == 0)
		return false;
	parser_wire_add(&talk->wire, (size_t)taken);
	return take_frames(talk);
}

static void
converse(struct conversation *talk)
{
	for (bool goes_on = true; goes_on && tell_time(talk);) {
		struct pollfd ends[2] = {
			{ .fd = talk->from, .events = POLLIN }, { .fd = talk->to, .events = POLLOUT },
		};
		const int left_ms = time_left_ms(talk);

		/* Also of one that never stops talking. */
		if (left_ms == 0) {
			talk->fault = PARSER_FAULT_DEADLINE;
			return;
		}
		if (poll(ends, 2, left_ms < PARSER_PULSE_MS ? left_ms : PARSER_PULSE_MS) <= 0)
			continue;
		if (ends[1].revents != 0)
			give(talk);
		if (ends[0].revents != 0)
			goes_on = take_bytes(talk);
	}
}

/* What a child that fell silent died of. */
static enum parser_fault_kind
judge(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return PARSER_FAULT_FORBIDDEN;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return PARSER_FAULT_DEADLINE;
	/* By an administrator, or because the machine ran out of memory: it says nothing of the file. */
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return PARSER_FAULT_KILLED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == PARSER_CHILD_NO_MEMORY)
		return PARSER_FAULT_MEMORY;
	if (WIFEXITED(status) && (WEXITSTATUS(status) == PARSER_CHILD_NOT_STARTED || WEXITSTATUS(status) == PARSER_CHILD_NOT_SHUT_IN))
		return PARSER_FAULT_NOT_STARTED;
	return PARSER_FAULT_DIED;
}

/* One that has said its last word, or lost our trust, is not waited for. Any other has
 * ended: once shut in, it cannot close its pipe and live. */
static void
finish(struct conversation *talk)
{
	int status = 0;

	close_end(&talk->to);
	close_end(&talk->from);
	if (talk->wire.has_ended || talk->fault != PARSER_FAULT_NONE)
		kill(talk->child, SIGKILL);
	while (waitpid(talk->child, &status, 0) < 0 && errno == EINTR)
		;
	if (!talk->wire.has_ended && talk->fault == PARSER_FAULT_NONE)
		talk->fault = judge(status);
}

/* What the file's owner cannot mend, or what was meant for us. */
static void
log_fault(enum parser_fault_kind kind)
{
	if (kind >= PARSER_FAULT_MEMORY && kind != PARSER_FAULT_STOPPED)
		log_warn("could not parse a file", "reason", parser_fault_word(kind), NULL);
}

bool
parser_run(const struct parser_job *job, struct parser_file *file, struct parser_fault *fault)
{
	struct conversation *talk = xcalloc(1, sizeof *talk);

	*fault = (struct parser_fault){ .kind = PARSER_FAULT_NONE };
	*talk = (struct conversation){ .job = job, .file = file, .child = -1, .to = -1, .from = -1 };
	talk->deadline_ms = clock_monotonic_ms() + (job->deadline_ms > 0 ? job->deadline_ms : DEADLINE_MS);
	if (job->length == 0) {
		fault->kind = PARSER_FAULT_EMPTY;
	} else if (job->length > PARSER_FILE_BYTES_MAX) {
		fault->kind = PARSER_FAULT_TOO_LARGE;
	} else if (!start(talk)) {
		fault->kind = PARSER_FAULT_NOT_STARTED;
	} else {
		converse(talk);
		finish(talk);
		*fault = talk->wire.fault;
		if (talk->fault != PARSER_FAULT_NONE)
			*fault = (struct parser_fault){ .kind = talk->fault };
	}
	close_end(&talk->to);
	close_end(&talk->from);
	log_fault(fault->kind);
	parser_wire_free(&talk->wire);
	free(talk);
	return fault->kind == PARSER_FAULT_NONE;
}
