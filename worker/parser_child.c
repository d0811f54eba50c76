/*
 * parser_child: shuts itself in, reads all of the file, and writes its rows as frames.
 *
 * Everything that opens a file happens before: the loader's work, and the time zone, for
 * which libzip asks. Neither exit handlers nor stdio run here.
 */
#include "parser_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "memory.h"
#include "parse_file.h"
#include "parser.h"
#include "parser_wire.h"
#include "sandbox.h"

#define CHILD_WORD "--parse-one-file"

enum { ARGUMENTS = 5, CPU_S = 60, FLUSH_BYTES = 65536 };

static const size_t memory_default_bytes = 256u * 1024 * 1024;

/* Where errno is: looked up before, because a signal handler may only look at it. */
static const int *last_error;

/* xmalloc's way out, and assert's: the first leaves its reason in errno, because what it
 * says on 2 goes nowhere without a fault. */
static void
take_abort(int signal_number)
{
	(void)signal_number;
	_exit(*last_error == ENOMEM ? PARSER_CHILD_NO_MEMORY : PARSER_CHILD_ABORTED);
}

static void
flush(struct buffer *out)
{
	for (size_t at = 0; at < out->length;) {
		const ssize_t written = write(STDOUT_FILENO, out->data + at, out->length - at);

		/* Nobody listens any more. */
		if (written <= 0)
			_exit(0);
		at += (size_t)written;
	}
	buffer_clear(out);
}

static void
tell_file(void *context, const struct parser_file *file)
{
	parser_wire_put_file(context, file);
}

static bool
tell_row(void *context, const struct parser_row *row)
{
	struct buffer *out = context;

	parser_wire_put_row(out, row);
	if (out->length >= FLUSH_BYTES)
		flush(out);
	return true;
}

static void
parse(const uint8_t *bytes, size_t length, const char *charset)
{
	struct buffer out = BUFFER_INIT;
	struct row_writer writer;

	row_writer_init(&writer, tell_row, &out);
	(void)parse_file(bytes, length, charset, tell_file, &writer);
	parser_wire_put_end(&out, &writer.fault);
	flush(&out);
	row_writer_free(&writer);
	buffer_free(&out);
}

static uint8_t *
read_input(size_t length)
{
	uint8_t *bytes = xmalloc(length);

	for (size_t at = 0; at < length;) {
		const ssize_t count = read(STDIN_FILENO, bytes + at, length - at);

		if (count <= 0)
			_exit(0);
		at += (size_t)count;
	}
	return bytes;
}

void
parser_child_enter(int argc, char **argv, parser_body *body)
{
	size_t length, memory_bytes;
	uint8_t *bytes;

	if (argc != ARGUMENTS || strcmp(argv[1], CHILD_WORD) != 0)
		return;
	length = strtoul(argv[3], NULL, 10);
	memory_bytes = strtoul(argv[4], NULL, 10);
	tzset();
	last_error = &errno;
	signal(SIGABRT, take_abort);
	if (!sandbox_enter(memory_bytes, CPU_S))
		_exit(PARSER_CHILD_NOT_SHUT_IN);
	bytes = read_input(length);
	(body != NULL ? body : parse)(bytes, length, argv[2][0] != '\0' ? argv[2] : NULL);
	free(bytes);
	_exit(0);
}

/* Behind 0 to 2, whatever of these the parent has closed. */
static int
raise_file(int file)
{
	return fcntl(file, F_DUPFD_CLOEXEC, 3);
}

static void
become(int input, int output, char **arguments, char **environment)
{
	const int from = raise_file(input), to = raise_file(output), nowhere = raise_file(open("/dev/null", O_WRONLY));
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0 && dup2(nowhere, STDERR_FILENO) >= 0)
		execve("/proc/self/exe", arguments, environment);
	_exit(PARSER_CHILD_NOT_STARTED);
}

pid_t
parser_child_start(const struct parser_job *job, int input, int output)
{
	const size_t memory_bytes = job->memory_bytes > 0 ? job->memory_bytes : memory_default_bytes;
	char length[24], memory[24], sanitizer[96];
	pid_t child;

	snprintf(length, sizeof length, "%zu", job->length);
	snprintf(memory, sizeof memory, "%zu", memory_bytes);
	/* Where the kernel cannot limit it, the sanitizer can, piece by piece. */
	snprintf(sanitizer, sizeof sanitizer, "ASAN_OPTIONS=allocator_may_return_null=1:max_allocation_size_mb=%zu",
		memory_bytes >> 20);
	child = fork();
	if (child == 0)
		become(input, output,
			(char *[]){ "rollcall-parser", CHILD_WORD, job->charset != NULL ? (char *)job->charset : "", length, memory, NULL },
			(char *[]){ "TZ=UTC0", sanitizer, NULL });
	return child;
}
