/*
 * mime: see its header. Every loop goes forward over bytes that it has not seen yet, or ends.
 */
#include "mime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mime_coding.h"

enum { VALUE_MAX = 4096, BOUNDARY_MAX = 70 };

static struct mime_piece
piece_from(struct mime_piece text, const char *from)
{
	return (struct mime_piece){ from, text.length - (size_t)(from - text.text) };
}

/* The next line, without its end; `rest` is what follows. */
static bool
next_line(struct mime_piece *rest, struct mime_piece *line)
{
	const char *feed = rest->length > 0 ? memchr(rest->text, '\n', rest->length) : NULL;

	if (rest->length == 0)
		return false;
	*line = (struct mime_piece){ rest->text, feed != NULL ? (size_t)(feed - rest->text) : rest->length };
	*rest = feed != NULL ? piece_from(*rest, feed + 1) : (struct mime_piece){ rest->text + rest->length, 0 };
	if (line->length > 0 && line->text[line->length - 1] == '\r')
		line->length--;
	return true;
}

struct mime_part
mime_part_read(struct mime_piece text)
{
	struct mime_piece rest = text, line;

	while (next_line(&rest, &line))
		if (line.length == 0)
			return (struct mime_part){ { text.text, (size_t)(line.text - text.text) }, rest };
	return (struct mime_part){ text, { text.text + text.length, 0 } };
}

/* ---- Headers. */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void
append_value(struct buffer *value, struct mime_piece line)
{
	for (size_t i = 0; i < line.length && value->length < VALUE_MAX; i++) {
		const char c = line.text[i];
		const bool is_space = (unsigned char)c <= ' ' || c == 0x7f;

		if (!is_space)
			buffer_putc(value, c);
		else if (value->length > 0 && value->data[value->length - 1] != ' ')
			buffer_putc(value, ' ');
	}
}

bool
mime_header(struct mime_piece headers, const char *name, struct buffer *value)
{
	const size_t length = strlen(name);
	struct mime_piece line;
	bool is_found = false;

	buffer_clear(value);
	while (next_line(&headers, &line)) {
		const bool continues = line.length > 0 && is_blank(line.text[0]);

		if (is_found && !continues)
			break;
		if (is_found) {
			append_value(value, line);
		} else if (!continues && line.length > length && line.text[length] == ':'
			&& strncasecmp(line.text, name, length) == 0) {
			is_found = true;
			append_value(value, (struct mime_piece){ line.text + length + 1, line.length - length - 1 });
		}
	}
	while (value->length > 0 && value->data[value->length - 1] == ' ')
		value->data[--value->length] = '\0';
	return is_found;
}

static char
small_letter(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

void
mime_type(const struct buffer *value, char *type, size_t size)
{
	size_t length = 0;

	for (const char *c = buffer_text(value); *c != '\0' && *c != ';' && *c != '(' && length + 1 < size; c++)
		if (*c != ' ')
			type[length++] = small_letter(*c);
	type[length] = '\0';
}

/* Behind a quoted string or a token; what it says goes to `out`, unless that is NULL. */
static const char *
skip_word(const char *text, struct buffer *out)
{
	const bool is_quoted = *text == '"';

	for (text += is_quoted; *text != '\0'; text++) {
		if (is_quoted ? *text == '"' : strchr("; ()\"", *text) != NULL)
			return text + is_quoted;
		if (is_quoted && *text == '\\' && text[1] != '\0')
			text++;
		if (out != NULL)
			buffer_putc(out, *text);
	}
	return text;
}

bool
mime_parameter(const struct buffer *value, const char *name, struct buffer *parameter)
{
	const char *text = strchr(buffer_text(value), ';');

	buffer_clear(parameter);
	while (text != NULL && *text != '\0') {
		size_t length;
		bool is_it;

		text += strspn(text, "; ");
		length = strcspn(text, "=; ");
		is_it = length == strlen(name) && strncasecmp(text, name, length) == 0;
		text += length + strspn(text + length, " ");
		if (*text == '=') {
			text += 1 + strspn(text + 1, " ");
			text = skip_word(text, is_it ? parameter : NULL);
		}
		if (is_it)
			return parameter->length > 0;
		text = strchr(text, ';');
	}
	return false;
}

void
mime_part_type(const struct mime_part *part, char *type, size_t size)
{
	struct buffer value = BUFFER_INIT;

	if (mime_header(part->headers, "Content-Type", &value))
		mime_type(&value, type, size);
	else
		snprintf(type, size, "text/plain");
	buffer_free(&value);
}

/* ---- Bodies. */

void
mime_part_decode(const struct mime_part *part, struct buffer *body)
{
	struct buffer value = BUFFER_INIT;
	char encoding[32] = "";

	buffer_clear(body);
	if (mime_header(part->headers, "Content-Transfer-Encoding", &value))
		mime_type(&value, encoding, sizeof encoding);
	if (strcmp(encoding, "base64") == 0)
		mime_put_base64(part->body, body);
	else if (strcmp(encoding, "quoted-printable") == 0)
		mime_put_quoted(part->body, false, body);
	else if (part->body.length > 0)
		buffer_append(body, part->body.text, part->body.length);
	buffer_free(&value);
}

/* ---- Parts. */

enum delimiter { NO_DELIMITER, DELIMITER, LAST_DELIMITER };

/* RFC 2046 §5.1.1: two hyphens, the boundary, perhaps two more, and nothing but blanks. */
static enum delimiter
delimiter_of(const struct mime_parts *parts, struct mime_piece line)
{
	const size_t length = parts->boundary_length;
	enum delimiter kind = DELIMITER;
	size_t end = length + 2;

	if (line.length < end || line.text[0] != '-' || line.text[1] != '-'
		|| memcmp(line.text + 2, parts->boundary, length) != 0)
		return NO_DELIMITER;
	if (line.length >= end + 2 && line.text[end] == '-' && line.text[end + 1] == '-') {
		kind = LAST_DELIMITER;
		end += 2;
	}
	while (end < line.length && is_blank(line.text[end]))
		end++;
	return end == line.length ? kind : NO_DELIMITER;
}

/* Up to the next delimiter, which is left behind. The line end before it is its own. */
static struct mime_piece
take_part(struct mime_parts *parts)
{
	const char *begin = parts->rest.text;
	struct mime_piece line;

	while (next_line(&parts->rest, &line)) {
		const enum delimiter kind = delimiter_of(parts, line);
		size_t length = (size_t)(line.text - begin);

		if (kind == NO_DELIMITER)
			continue;
		parts->is_over = kind == LAST_DELIMITER;
		if (length > 0 && begin[length - 1] == '\n')
			length--;
		if (length > 0 && begin[length - 1] == '\r')
			length--;
		return (struct mime_piece){ begin, length };
	}
	parts->is_over = true;
	return (struct mime_piece){ begin, (size_t)(parts->rest.text - begin) };
}

bool
mime_parts_begin(const struct mime_part *part, struct mime_parts *parts)
{
	struct buffer value = BUFFER_INIT, boundary = BUFFER_INIT;
	char type[16];
	bool is_multipart = mime_header(part->headers, "Content-Type", &value);

	mime_type(&value, type, sizeof type);
	is_multipart = is_multipart && strncmp(type, "multipart/", 10) == 0
		&& mime_parameter(&value, "boundary", &boundary) && boundary.length <= BOUNDARY_MAX;
	if (is_multipart) {
		*parts = (struct mime_parts){ .rest = part->body, .boundary_length = boundary.length };
		memcpy(parts->boundary, boundary.data, boundary.length);
		(void)take_part(parts);	/* what stands before the first is for nobody */
	}
	buffer_free(&value);
	buffer_free(&boundary);
	return is_multipart;
}

bool
mime_parts_next(struct mime_parts *parts, struct mime_part *part)
{
	if (parts->is_over)
		return false;
	*part = mime_part_read(take_part(parts));
	return true;
}
