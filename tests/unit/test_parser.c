/*
 * parser: what a child is kept from, whatever a file makes it try; and what of its word
 * is believed. The child is this program again: its main puts misdeeds in the parser's
 * place, and the "file" says which one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"
#include "parser.h"
#include "parser_child.h"
#include "parser_wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { MEMORY_BYTES = 128 << 20, SOON_MS = 300 };

static void
say(struct buffer *frames)
{
	(void)!write(STDOUT_FILENO, frames->data, frames->length);
	buffer_free(frames);
}

static void
say_well(struct buffer *frames)
{
	parser_wire_put_file(frames, &(struct parser_file){ .format = PARSER_CSV, .charset = "utf-8", .delimiter = ',' });
	parser_wire_put_row(frames, &(struct parser_row){ 1, 1, &(struct parser_cell){ "a", 1, PARSER_TEXT } });
}

/* What may be done ends like this: the parent then says that all is well. */
static void
say_end(void)
{
	struct buffer frames = BUFFER_INIT;

	say_well(&frames);
	parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_NONE, 0, 0 });
	say(&frames);
}

static void do_nothing_wrong(void) {}
static void open_a_file(void) { (void)!open("/etc/passwd", O_RDONLY); }
static void make_a_file(void) { (void)!open("/tmp/x", O_WRONLY | O_CREAT, 0600); }
static void make_a_socket(void) { (void)!socket(AF_INET, SOCK_STREAM, 0); }
static void make_a_pair(void) { (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){ 0 }); }
static void fork_itself(void) { (void)!fork(); }
static void become_a_shell(void) { execl("/bin/sh", "sh", NULL); }
static void kill_its_parent(void) { kill(getppid(), SIGTERM); }
static void trace_its_parent(void) { ptrace(PTRACE_ATTACH, 1, NULL, NULL); }
static void map_code(void) { (void)!mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static void take_memory(void) { free(xmalloc((size_t)MEMORY_BYTES * 2)); }
static void turn_for_ever(void) { for (volatile int i = 0; i >= 0;) i = 1; }
static void close_its_pipe(void) { close(STDOUT_FILENO); }
static void end_early(void) { _exit(0); }
static void abort_itself(void) { abort(); }
static void fall_over(void) { signal(SIGSEGV, SIG_DFL); raise(SIGSEGV); }
static void be_killed(void) { raise(SIGKILL); }

/* Nothing of the parent's is in sight: neither its environment nor its files. */
static void
look_around(void)
{
	char byte;

	if (getenv("PARSER_SECRET") != NULL || read(STDIN_FILENO, &byte, 1) != 0)
		_exit(0);
	for (int file = 3; file < 64; file++)
		if (write(file, "x", 1) >= 0)
			_exit(0);
}

static void
lie(void)
{
	(void)!write(STDOUT_FILENO, "r\xff\xff\xff\xff", 5);
}

/* One row a millisecond, each of them right. */
static void
talk_for_ever(void)
{
	struct buffer frames = BUFFER_INIT;

	say_well(&frames);
	say(&frames);
	for (uint32_t number = 2;; number++) {
		const int64_t until_ms = clock_monotonic_ms() + 1;

		parser_wire_put_row(&frames, &(struct parser_row){ number, 1, &(struct parser_cell){ "a", 1, PARSER_TEXT } });
		say(&frames);
		while (clock_monotonic_ms() < until_ms)
			;
	}
}

/* In one piece: of what comes after it has read the end, the parent knows nothing. */
static void
chatter_behind_the_end(void)
{
	struct buffer frames = BUFFER_INIT;

	say_well(&frames);
	parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_NONE, 0, 0 });
	parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_NONE, 0, 0 });
	say(&frames);
}

static const struct deed {
	const char *name;
	void (*act)(void);
	enum parser_fault_kind fault;
} deeds[] = {
	{ "nothing wrong", do_nothing_wrong, PARSER_FAULT_NONE },
	{ "look around", look_around, PARSER_FAULT_NONE },
	{ "open a file", open_a_file, PARSER_FAULT_FORBIDDEN },
	{ "make a file", make_a_file, PARSER_FAULT_FORBIDDEN },
	{ "make a socket", make_a_socket, PARSER_FAULT_FORBIDDEN },
	{ "make a pair of sockets", make_a_pair, PARSER_FAULT_FORBIDDEN },
	{ "fork", fork_itself, PARSER_FAULT_FORBIDDEN },
	{ "become a shell", become_a_shell, PARSER_FAULT_FORBIDDEN },
	{ "kill the parent", kill_its_parent, PARSER_FAULT_FORBIDDEN },
	{ "trace another", trace_its_parent, PARSER_FAULT_FORBIDDEN },
	{ "map code", map_code, PARSER_FAULT_FORBIDDEN },
	{ "take too much memory", take_memory, PARSER_FAULT_MEMORY },
	{ "turn for ever", turn_for_ever, PARSER_FAULT_DEADLINE },
	{ "talk for ever", talk_for_ever, PARSER_FAULT_DEADLINE },
	{ "close its pipe", close_its_pipe, PARSER_FAULT_FORBIDDEN },
	{ "end early", end_early, PARSER_FAULT_DIED },
	{ "abort", abort_itself, PARSER_FAULT_DIED },
	{ "fall over", fall_over, PARSER_FAULT_FORBIDDEN },
	{ "be killed", be_killed, PARSER_FAULT_KILLED },
	{ "lie", lie, PARSER_FAULT_LIED },
	{ "chatter behind the end", chatter_behind_the_end, PARSER_FAULT_LIED },
};

static void
misbehave(const uint8_t *bytes, size_t length, const char *charset)
{
	(void)charset;
	for (size_t i = 0; i < COUNT(deeds); i++)
		if (strlen(deeds[i].name) == length && memcmp(deeds[i].name, bytes, length) == 0)
			deeds[i].act();
	say_end();
}

static bool
count_row(void *context, const struct parser_row *row)
{
	(void)row;
	++*(int *)context;
	return true;
}

static void
what_a_child_may_not_do_ends_it_and_the_parent_says_so(void **state)
{
	(void)state;
	setenv("PARSER_SECRET", "secret", 1);
	for (size_t i = 0; i < COUNT(deeds); i++) {
		struct parser_file file;
		struct parser_fault fault;
		int rows = 0;

		print_message("  %s\n", deeds[i].name);
		const bool is_read = parser_run(&(struct parser_job){
			.bytes = (const uint8_t *)deeds[i].name, .length = strlen(deeds[i].name),
							.deadline_ms = deeds[i].fault == PARSER_FAULT_DEADLINE ? SOON_MS : 0,
			.memory_bytes = MEMORY_BYTES, .take = count_row, .context = &rows,
		}, &file, &fault);
		assert_string_equal(parser_fault_word(fault.kind), parser_fault_word(deeds[i].fault));
		assert_true(is_read == (deeds[i].fault == PARSER_FAULT_NONE));
		assert_true(!is_read || rows == 1);
		/* And none is left. */
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	}
}

static bool
is_first_second(void *context)
{
	const int64_t *began_ms = context;

	return clock_monotonic_ms() - *began_ms < PARSER_PULSE_MS;
}

/* Whoever waits for a child that says nothing lost what he held meanwhile. */
static void
who_waits_for_a_silent_child_is_asked_meanwhile_whether_to_go_on(void **state)
{
	int64_t began_ms = clock_monotonic_ms();
	struct parser_file file;
	struct parser_fault fault;

	(void)state;
	assert_false(parser_run(&(struct parser_job){
		.bytes = (const uint8_t *)"turn for ever", .length = strlen("turn for ever"), .memory_bytes = MEMORY_BYTES,
		.take = count_row, .pulse = is_first_second, .context = &began_ms,
	}, &file, &fault));
	assert_int_equal(fault.kind, PARSER_FAULT_STOPPED);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Frames, and what of them is believed. */
static enum parser_wire_step
last_step(struct parser_wire *wire, const struct buffer *frames, size_t length)
{
	enum parser_wire_step step = PARSER_WIRE_MORE;
	size_t size;
	char *room = parser_wire_room(wire, &size);

	assert_true(length <= size);
	memcpy(room, frames->data, length);
	parser_wire_add(wire, length);
	do {
		step = parser_wire_next(wire);
	} while (step != PARSER_WIRE_MORE && step != PARSER_WIRE_LIE);
	return step;
}

static void
no_byte_of_a_row_can_be_changed_into_nonsense(void **state)
{
	const struct parser_cell cells[] = { { "a@b", 3, PARSER_TEXT }, { "", 0, PARSER_NO_VALUE }, { "\xd0\xbe", 2, PARSER_ERROR } };
	struct buffer frames = BUFFER_INIT;

	(void)state;
	parser_wire_put_file(&frames, &(struct parser_file){ .format = PARSER_CSV, .charset = "windows-1251", .is_guess = true, .sure_percent = 90, .delimiter = ';' });
	parser_wire_put_row(&frames, &(struct parser_row){ 7, 3, cells });
	for (size_t at = 0; at < frames.length; at++) {
		for (int value = 0; value < 256; value++) {
			const char before = frames.data[at];
			struct parser_wire wire = { 0 };

			frames.data[at] = (char)value;
			if (last_step(&wire, &frames, frames.length) == PARSER_WIRE_MORE && wire.last_row > 0) {
				assert_in_range(wire.row.count, 1, 3);
				for (int i = 0; i < wire.row.count; i++) {
					assert_true(wire.row.cells[i].value <= PARSER_NO_VALUE);
					assert_int_equal(strlen(wire.row.cells[i].text), wire.row.cells[i].length);
				}
			}
			frames.data[at] = before;
			parser_wire_free(&wire);
		}
	}
	buffer_free(&frames);
}

static void
frames_are_believed_in_their_order_alone(void **state)
{
	static const struct { const char *order; enum parser_wire_step step; } orders[] = {
		{ "f12e", PARSER_WIRE_MORE }, { "x", PARSER_WIRE_MORE }, { "fx", PARSER_WIRE_MORE },
		{ "1", PARSER_WIRE_LIE }, { "f21", PARSER_WIRE_LIE }, { "f11", PARSER_WIRE_LIE }, { "ff", PARSER_WIRE_LIE },
		{ "fe", PARSER_WIRE_LIE }, { "f1ee", PARSER_WIRE_LIE }, { "d", PARSER_WIRE_LIE }, { "f0", PARSER_WIRE_LIE },
		{ "f9", PARSER_WIRE_LIE },
	};
	const struct parser_cell cell = { "a", 1, PARSER_TEXT };

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct parser_wire wire = { 0 };
		struct buffer frames = BUFFER_INIT;

		for (const char *kind = orders[i].order; *kind != '\0'; kind++) {
			if (*kind == 'f')
				parser_wire_put_file(&frames, &(struct parser_file){ .format = PARSER_XLSX, .charset = "utf-8" });
			else if (*kind == 'e')
				parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_NONE, 0, 0 });
			else if (*kind == 'x')
				parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_NUL, 3, 4 });
			else if (*kind == 'd')
				parser_wire_put_end(&frames, &(struct parser_fault){ PARSER_FAULT_DEADLINE, 0, 0 });
			else
				parser_wire_put_row(&frames, &(struct parser_row){ *kind == '9' ? PARSER_ROWS_MAX + 1 : (uint32_t)(*kind - '0'), 1, &cell });
		}
		print_message("  %s\n", orders[i].order);
		assert_int_equal(last_step(&wire, &frames, frames.length), orders[i].step);
		buffer_free(&frames);
		parser_wire_free(&wire);
	}
}

static void
every_fault_has_a_word_of_its_own_and_a_sentence(void **state)
{
	(void)state;
	for (int i = 0; i < PARSER_FAULT_COUNT; i++) {
		struct buffer says = BUFFER_INIT;

		assert_non_null(parser_fault_word((enum parser_fault_kind)i));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(parser_fault_word((enum parser_fault_kind)i), parser_fault_word((enum parser_fault_kind)k));
		parser_fault_describe(&(struct parser_fault){ (enum parser_fault_kind)i, 3, 0 }, &says);
		assert_memory_equal(says.data, "Row 3: ", 7);
		assert_int_equal(says.data[says.length - 1], '.');
		buffer_free(&says);
	}
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_child_may_not_do_ends_it_and_the_parent_says_so),
		cmocka_unit_test(who_waits_for_a_silent_child_is_asked_meanwhile_whether_to_go_on),
		cmocka_unit_test(no_byte_of_a_row_can_be_changed_into_nonsense),
		cmocka_unit_test(frames_are_believed_in_their_order_alone),
		cmocka_unit_test(every_fault_has_a_word_of_its_own_and_a_sentence),
	};

	parser_child_enter(argc, argv, misbehave);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
