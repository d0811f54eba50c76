/*
 * fuzz_message: whatever stands in names, subjects, addresses and texts, the message is one
 * that every relay takes as it was meant.
 *
 * The input is the texts of struct message, each closed by a NUL; what is missing is empty.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "mime.h"

enum { TEXTS = 9, LINE_MAX_BYTES = 998 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* CRLF and nothing else ends a line; none is too long, none begins with a dot; nothing but
 * printable ASCII (blanks and tabs with it) is on the wire. */
static void
check_lines(const struct buffer *out, bool has_long_token)
{
	const char *line = out->data, *end = out->data + out->length;

	while (line < end) {
		const char *feed = memchr(line, '\n', (size_t)(end - line));

		assert(feed != NULL && feed > line && feed[-1] == '\r');
		assert(has_long_token || feed - line - 1 <= LINE_MAX_BYTES);
		assert(line[0] != '.' && strncmp(line, "From ", 5) != 0);
		for (const char *c = line; c < feed - 1; c++)
			assert((*c >= ' ' && *c < 0x7f) || *c == '\t');
		line = feed + 1;
	}
}

/* Each header once, in the order of their making, and no other. */
static void
check_headers(struct mime_piece headers)
{
	static const char *const names[] = {
		"Date", "Message-ID", "From", "To", "Subject", "Content-Language", "Auto-Submitted", "MIME-Version", "Content-Type",
	};
	size_t count = 0;

	for (const char *line = headers.text; line < headers.text + headers.length; line = strchr(line, '\n') + 1) {
		if (*line == ' ')
			continue;
		assert(count < sizeof names / sizeof *names);
		assert(strncmp(line, names[count], strlen(names[count])) == 0 && line[strlen(names[count])] == ':');
		count++;
	}
	assert(count == sizeof names / sizeof *names);
}

/* The text comes back, but for its line ends. */
static void
check_part(const struct mime_part *part, const char *type, const char *text)
{
	struct buffer body = BUFFER_INIT;
	const char *c;
	char found[32];

	mime_part_type(part, found, sizeof found);
	assert(strcmp(found, type) == 0);
	mime_part_decode(part, &body);
	c = buffer_text(&body);
	for (; *text != '\0'; text++) {
		if (*text == '\r' && text[1] == '\n')
			continue;
		if (*text == '\r' || *text == '\n') {
			/* The last one may be the boundary's. */
			if (*c == '\0' && text[1] == '\0')
				break;
			assert(c[0] == '\r' && c[1] == '\n');
			c += 2;
		} else {
			assert(*c == *text);
			c++;
		}
	}
	assert(*c == '\0' || strcmp(c, "\r\n") == 0);
	buffer_free(&body);
}

static void
check(const struct message *message, const struct buffer *out)
{
	struct mime_part whole = mime_part_read((struct mime_piece){ out->data, out->length }), part;
	struct mime_parts parts;
	bool is_multipart = mime_parts_begin(&whole, &parts), has_part;

	check_headers(whole.headers);
	assert(is_multipart);
	has_part = mime_parts_next(&parts, &part);
	assert(has_part);
	check_part(&part, "text/plain", message->text);
	has_part = mime_parts_next(&parts, &part);
	assert(has_part);
	check_part(&part, "text/html", message->html);
	has_part = mime_parts_next(&parts, &part);
	assert(!has_part);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = calloc(1, size + TEXTS), *next = copy, *texts[TEXTS];
	struct buffer out = BUFFER_INIT;

	memcpy(copy, data, size);
	for (int i = 0; i < TEXTS; i++) {
		texts[i] = next;
		next += strlen(next) + (next < copy + size + TEXTS - 1);
	}
	struct message message = {
		.id = texts[0], .from_name = *texts[1] != '\0' ? texts[1] : NULL, .from_address = texts[2],
		.to_name = *texts[3] != '\0' ? texts[3] : NULL, .to_address = texts[4], .subject = texts[5],
		.language = texts[6], .text = texts[7], .html = texts[8], .date = 1700000000,
	};
	message_build(&message, &out);
	/* Tokens are as long as their makers let them be: an address at most 254. */
	check_lines(&out, strlen(texts[0]) > 900 || strlen(texts[2]) > 900 || strlen(texts[4]) > 900 || strlen(texts[6]) > 900);
	check(&message, &out);
	buffer_free(&out);
	free(copy);
	return 0;
}
