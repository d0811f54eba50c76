/* log: lines as they reach standard error, which is a pipe here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "json.h"
#include "log.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

static int pipe_fds[2], real_stderr;
static char line[65536];

static int
set_up(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	return pipe(pipe_fds) != 0 || fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK) != 0 ||
		(real_stderr = dup(STDERR_FILENO)) < 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(real_stderr);
	return 0;
}

static void
catch_begin(void)
{
	dup2(pipe_fds[1], STDERR_FILENO);
}

/* What one write left in the pipe; "" when there was none. */
static const char *
catch_end(void)
{
	ssize_t length;

	dup2(real_stderr, STDERR_FILENO);
	length = read(pipe_fds[0], line, sizeof(line) - 1);
	line[length > 0 ? length : 0] = '\0';
	return line;
}

#define CAUGHT(call) (catch_begin(), (call), catch_end())

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("%s does not match %s", text, pattern);
	regfree(&regex);
}

static void
a_text_line_has_time_level_program_message_and_pairs(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_INFO, false, "worker");
	assert_matches(CAUGHT(log_warn("could not send mail: connection refused", "outbox_id", "7",
		"left_out", (char *)NULL, "reply", "451 try later", NULL)),
		AT "warn worker could not send mail: connection refused outbox_id=7"
		" reply=\"451 try later\"\n$");
	assert_matches(CAUGHT(log_info("ready", NULL)), AT "info worker ready\n$");
	assert_matches(CAUGHT(log_error("x", NULL)), AT "error worker x\n$");
}

static void
lines_below_the_level_are_not_written(void **state)
{
	(void)state;
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
		log_open((enum log_level)level, false, "server");
		for (int event = LOG_LEVEL_ERROR; event <= LOG_LEVEL_DEBUG; event++) {
			const char *text = CAUGHT(log_event((enum log_level)event, "x", NULL));

			assert_int_equal(*text != '\0', event <= level);
			assert_int_equal(log_wants((enum log_level)event), event <= level);
		}
	}
}

static void
values_cannot_pass_for_anything_else(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{ "plain", "plain" }, { "", "\"\"" }, { "a b", "\"a b\"" }, { "a=b", "\"a=b\"" },
		{ "a\"b", "\"a\\\"b\"" }, { "a\\b", "\"a\\\\b\"" }, { "a\nb", "\"a\\nb\"" },
		{ "a\r\tb", "\"a\\r\\tb\"" }, { "\x1b[31m", "\\x1b[31m" }, { "\x7f", "\\x7f" },
		{ "\xc2\x9b", "\\x9b" }, { "\xff", "\\xff" }, { "\xc0\x80", "\\xc0\\x80" },
		{ "Олена", "Олена" },
	};
	char expected[128];

	(void)state;
	log_open(LOG_LEVEL_INFO, false, "server");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		snprintf(expected, sizeof(expected), " m k=%s\n", cases[i].written);
		assert_string_equal(strstr(CAUGHT(log_info("m", "k", cases[i].value, NULL)), " m "),
			expected);
	}
	assert_string_equal(strstr(CAUGHT(log_info("two\nlines \x1b[0m", NULL)), " two"),
		" two\\nlines \\x1b[0m\n");
}

static void
a_json_line_is_one_object(void **state)
{
	static const char *const values[] = { "", "plain", "a \"b\" \\", "a\nb\tc\rd", "\x01\x1f\x7f",
		"Олена 😀" };

	(void)state;
	log_open(LOG_LEVEL_DEBUG, true, "server");
	for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
		const char *text = CAUGHT(log_debug("m", "left_out", (char *)NULL, "k", values[i], NULL));
		const char *reason;
		struct json_object *object = json_parse(text, strlen(text), &reason);

		if (object == NULL)
			fail_msg("%s: %s", text, reason);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_int_equal(json_object_object_length(object), 6);
		assert_string_equal(json_member_string(object, "level"), "debug");
		assert_string_equal(json_member_string(object, "program"), "server");
		assert_string_equal(json_member_string(object, "message"), "m");
		assert_string_equal(json_member_string(object, "k"), values[i]);
		assert_int_equal(json_member_int(object, "pid", 0), getpid());
		assert_int_equal(strlen(json_member_string(object, "at")), 24);
		json_object_put(object);
	}
}

static void
bytes_that_are_not_utf8_do_not_spoil_json(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_INFO, true, "server");
	assert_non_null(strstr(CAUGHT(log_info("m", "k", "a\xff\xed\xa0\x80" "b\xc2\x85", NULL)),
		"\"k\":\"a\\ufffd\\ufffd\\ufffd\\ufffdb\\u0085\""));
}

static void
long_text_is_cut_between_characters(void **state)
{
	char text[4000];
	const char *caught, *value;

	(void)state;
	log_open(LOG_LEVEL_INFO, true, "server");
	/* An odd start, so that the cut would split a letter of two bytes. */
	text[0] = 'x';
	for (size_t i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "я", 3);
	caught = CAUGHT(log_info("m", "k", text, "last", "yes", NULL));
	value = strstr(caught, "\"k\":");
	assert_non_null(value);
	assert_null(strstr(caught, "\\ufffd"));
	assert_matches(value, "^\"k\":\"x(я)+\\.\\.\\.\",\"last\":\"yes\"}\n$");
	assert_in_range(strlen(caught), 1000, 1200);
}

static void
journald_gets_a_priority_and_nobody_else(void **state)
{
	static const struct {
		enum log_level level;
		const char *prefix;
	} cases[] = {
		{ LOG_LEVEL_ERROR, "<3>2" }, { LOG_LEVEL_WARN, "<4>2" },
		{ LOG_LEVEL_INFO, "<6>2" }, { LOG_LEVEL_DEBUG, "<7>2" },
	};
	char stream[64];
	struct stat status;

	(void)state;
	log_open(LOG_LEVEL_DEBUG, false, "server");
	assert_int_equal(fstat(pipe_fds[1], &status), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
		assert_int_equal(strncmp(CAUGHT(log_event(cases[i].level, "m", NULL)),
			cases[i].prefix, 4), 0);
	/* Inherited from a desktop's terminal: the stream is not ours. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	assert_int_equal(*CAUGHT(log_info("m", NULL)), '2');
	setenv("JOURNAL_STREAM", "junk", 1);
	assert_int_equal(*CAUGHT(log_info("m", NULL)), '2');
	unsetenv("JOURNAL_STREAM");
}

static void
errno_is_left_alone(void **state)
{
	(void)state;
	log_open(LOG_LEVEL_INFO, false, "server");
	close(STDERR_FILENO);
	errno = ENOENT;
	log_error("nobody hears this", NULL);
	assert_int_equal(errno, ENOENT);
	dup2(real_stderr, STDERR_FILENO);
}

static void
dying_says_why_and_exits_with_one(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	log_open(LOG_LEVEL_ERROR, false, "server");
	catch_begin();
	pid = fork();
	if (pid == 0)
		die("could not listen on %s: %s", "127.0.0.1:1", "permission denied");
	waitpid(pid, &status, 0);
	assert_matches(catch_end(),
		AT "error server could not listen on 127.0.0.1:1: permission denied\n$");
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_line_has_time_level_program_message_and_pairs),
		cmocka_unit_test(lines_below_the_level_are_not_written),
		cmocka_unit_test(values_cannot_pass_for_anything_else),
		cmocka_unit_test(a_json_line_is_one_object),
		cmocka_unit_test(bytes_that_are_not_utf8_do_not_spoil_json),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(journald_gets_a_priority_and_nobody_else),
		cmocka_unit_test(errno_is_left_alone),
		cmocka_unit_test(dying_says_why_and_exits_with_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
