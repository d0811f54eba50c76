/*
 * log: one structured line an event, on standard error.
 *
 * Always true: a line is one write(2), so lines of several processes on one pipe
 * do not mix; no text can end a line or reach a terminal as a control sequence, and
 * no value can pass for a pair; JSON lines are valid JSON whatever the text holds;
 * errno is left as it was.
 *
 * Text that is too long is cut. Where standard error is full and non-blocking the
 * line is lost: no program waits for its log.
 */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "utf8.h"

/* Lines are to stay under PIPE_BUF (4096), up to which a pipe keeps them whole. */
#define LONGEST_TEXT_BYTES ((size_t)1000)
#define AT_SIZE 32

static struct {
	enum log_level level;
	bool as_json;
	const char *program;
} logger = { LOG_LEVEL_INFO, false, "rollcall" };

static const struct {
	const char *name;
	int priority;	/* of syslog, for journald */
} levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

void
log_open(enum log_level level, bool as_json, const char *program)
{
	logger.level = level;
	logger.as_json = as_json;
	logger.program = program;
}

bool
log_wants(enum log_level level)
{
	return level <= logger.level;
}

/* JOURNAL_STREAM names the device and inode of journald's socket (systemd.exec(5)).
 * It is inherited by what runs in a terminal of the desktop too, so it counts only
 * where standard error really is that socket. */
static bool
is_read_by_journald(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream != NULL && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		fstat(STDERR_FILENO, &status) == 0 &&
		status.st_dev == device && status.st_ino == inode;
}

/* Escapes what may not stand in a line as it is. `code_point` is the byte itself
 * where the text is not UTF-8. JSON knows no \x. */
static void
put_escape(struct buffer *line, uint32_t code_point, bool is_utf8)
{
	if (code_point == '\n')
		buffer_puts(line, "\\n");
	else if (code_point == '\t')
		buffer_puts(line, "\\t");
	else if (code_point == '\r')
		buffer_puts(line, "\\r");
	else if (code_point == '"' || code_point == '\\')
		buffer_printf(line, "\\%c", (int)code_point);
	else if (!logger.as_json)
		buffer_printf(line, "\\x%02x", (unsigned)code_point);
	else
		buffer_printf(line, "\\u%04x", is_utf8 ? (unsigned)code_point : 0xfffdu);
}

/* C0, DEL and C1, which terminals obey. */
static bool
is_control(uint32_t code_point)
{
	return code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f);
}

static void
put_escaped(struct buffer *line, const char *text, bool is_quoted)
{
	size_t left = strnlen(text, LONGEST_TEXT_BYTES + 1);
	bool is_cut = left > LONGEST_TEXT_BYTES;

	if (is_cut)
		left = LONGEST_TEXT_BYTES;
	while (left > 0) {
		uint32_t code_point = (uint8_t)*text;
		size_t length = utf8_decode(text, left, &code_point);
		bool is_utf8 = length > 0;

		/* A character that the cut has split is dropped with it. */
		if (!is_utf8 && is_cut && left < 4)
			break;
		if (!is_utf8)
			length = 1;
		if (!is_utf8 || is_control(code_point) ||
		    (is_quoted && (code_point == '"' || code_point == '\\')))
			put_escape(line, code_point, is_utf8);
		else
			buffer_append(line, text, length);
		text += length;
		left -= length;
	}
	if (is_cut)
		buffer_puts(line, "...");
}

static void
put_quoted(struct buffer *line, const char *text)
{
	buffer_putc(line, '"');
	put_escaped(line, text, true);
	buffer_putc(line, '"');
}

/* Bare where nobody can misread it. */
static void
put_text_value(struct buffer *line, const char *value)
{
	if (*value == '\0' || strpbrk(value, " \"\\=\n\r\t") != NULL)
		put_quoted(line, value);
	else
		put_escaped(line, value, true);
}

static void
put_text(struct buffer *line, const char *at, enum log_level level, const char *message,
	va_list pairs)
{
	const char *key;

	buffer_printf(line, "%s %s %s ", at, levels[level].name, logger.program);
	put_escaped(line, message, false);
	while ((key = va_arg(pairs, const char *)) != NULL) {
		const char *value = va_arg(pairs, const char *);

		if (value == NULL)
			continue;
		buffer_printf(line, " %s=", key);
		put_text_value(line, value);
	}
}

static void
put_json(struct buffer *line, const char *at, enum log_level level, const char *message,
	va_list pairs)
{
	const char *key;

	buffer_printf(line, "{\"at\":\"%s\",\"level\":\"%s\",\"program\":", at,
		levels[level].name);
	put_quoted(line, logger.program);
	buffer_printf(line, ",\"pid\":%ld,\"message\":", (long)getpid());
	put_quoted(line, message);
	while ((key = va_arg(pairs, const char *)) != NULL) {
		const char *value = va_arg(pairs, const char *);

		if (value == NULL)
			continue;
		buffer_putc(line, ',');
		put_quoted(line, key);
		buffer_putc(line, ':');
		put_quoted(line, value);
	}
	buffer_putc(line, '}');
}

/* RFC 3339, UTC, milliseconds. */
static void
format_now(char at[AT_SIZE])
{
	struct timespec now;
	struct tm utc;
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	length = strftime(at, AT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(at + length, AT_SIZE - length, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

static void
write_line(const struct buffer *line)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line->data, line->length);
	while (written < 0 && errno == EINTR);
}

void
log_event(enum log_level level, const char *message, ...)
{
	struct buffer line = BUFFER_INIT;
	int saved_errno = errno;
	char at[AT_SIZE];
	va_list pairs;

	if (!log_wants(level))
		return;
	format_now(at);
	if (is_read_by_journald())
		buffer_printf(&line, "<%d>", levels[level].priority);
	va_start(pairs, message);
	if (logger.as_json)
		put_json(&line, at, level, message, pairs);
	else
		put_text(&line, at, level, message, pairs);
	va_end(pairs);
	buffer_putc(&line, '\n');
	write_line(&line);
	buffer_free(&line);
	errno = saved_errno;
}

void
die(const char *format, ...)
{
	char *message = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&message, format, arguments) < 0)
		abort();
	va_end(arguments);
	log_error(message, NULL);
	free(message);
	exit(1);
}
