/*
 * message: builds one MIME message.
 *
 * Always true, whatever stands in the values: no CR, LF, NUL or control byte of
 * a value reaches the output; every line ends in CRLF; lines of text are at most
 * 76 characters (a header that carries one long address may pass that, up to 998);
 * no line of a body begins with a dot or with "From ". So nothing that a relay or
 * libesmtp does with dots and line ends can change what was meant.
 *
 * Values are UTF-8, checked by whoever took them in; broken UTF-8 stays harmless
 * here, but is not repaired.
 */
#include "message.h"

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "encode.h"

enum {
	LINE_MAX_COLUMNS = 76,	/* RFC 2045 §6.7, RFC 2047 §2 */
	PLAIN_MAX = 60,		/* longer values are cut into encoded words */
	WORD_OVERHEAD = 12,	/* =?UTF-8?B? and ?= */
};

static bool
is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Addresses, ids, languages: printable ASCII without space and brackets. */
static void
put_token(struct buffer *out, const char *token)
{
	for (const char *c = token; *c != '\0'; c++)
		if (*c > ' ' && *c < 0x7f && *c != '<' && *c != '>')
			buffer_putc(out, *c);
}

/* How many bytes of text, at most `room`, end on a character's boundary. */
static size_t
whole_characters(const char *text, size_t length, size_t room)
{
	size_t taken = length < room ? length : room;

	while (taken > 0 && taken < length && ((uint8_t)text[taken] & 0xc0) == 0x80)
		taken--;
	return taken > 0 ? taken : (length < room ? length : room);
}

/* RFC 2047, B encoding: words of at most 75, folded. `column` is where the line
 * stands already. */
static void
put_encoded_words(struct buffer *out, const char *text, size_t length, size_t column)
{
	while (length > 0) {
		size_t room = (LINE_MAX_COLUMNS - WORD_OVERHEAD - column) / 4 * 3;
		size_t taken = whole_characters(text, length, room);
		uint8_t bytes[LINE_MAX_COLUMNS];
		char digits[LINE_MAX_COLUMNS * 2];

		for (size_t i = 0; i < taken; i++)
			bytes[i] = is_control(text[i]) ? ' ' : (uint8_t)text[i];
		base64_encode(bytes, taken, digits);
		buffer_printf(out, "=?UTF-8?B?%s?=", digits);
		text += taken;
		length -= taken;
		if (length > 0)
			buffer_puts(out, "\r\n ");
		column = 1;
	}
}

static bool
is_plain(const char *text, size_t length)
{
	if (length == 0 || length > PLAIN_MAX || text[0] == ' ' || text[length - 1] == ' ')
		return false;
	for (size_t i = 0; i < length; i++)
		if (is_control(text[i]) || (uint8_t)text[i] >= 0x80)
			return false;
	return strstr(text, "=?") == NULL;
}

/* Text without structure: a subject. */
static void
put_text_header(struct buffer *out, const char *name, const char *value)
{
	size_t length = strlen(value);

	buffer_printf(out, "%s: ", name);
	if (is_plain(value, length))
		buffer_append(out, value, length);
	else
		put_encoded_words(out, value, length, strlen(name) + 2);
	buffer_puts(out, "\r\n");
}

/* A mailbox: its name, where there is one, and <address>. */
static void
put_mailbox_header(struct buffer *out, const char *header, const char *name, const char *address)
{
	size_t length = name != NULL ? strlen(name) : 0;

	buffer_printf(out, "%s: ", header);
	if (length > 0) {
		if (is_plain(name, length) && strpbrk(name, "\"\\") == NULL)
			buffer_printf(out, "\"%s\"", name);
		else
			put_encoded_words(out, name, length, strlen(header) + 2);
		buffer_puts(out, "\r\n ");
	}
	buffer_putc(out, '<');
	put_token(out, address);
	buffer_puts(out, ">\r\n");
}

static void
put_token_header(struct buffer *out, const char *header, const char *token)
{
	buffer_printf(out, "%s: ", header);
	put_token(out, token);
	buffer_puts(out, "\r\n");
}

/* RFC 5322 §3.3, always in UTC. strftime would follow the locale. */
static void
put_date(struct buffer *out, time_t date)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	};
	struct tm utc;
	bool exists = gmtime_r(&date, &utc) != NULL;

	assert(exists);
	buffer_printf(out, "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n", days[utc.tm_wday],
		utc.tm_mday, months[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min, utc.tm_sec);
}

/* Quoted-printable never holds "=_", so the boundary meets no line of a body. */
static void
put_boundary(struct buffer *out, const char *id)
{
	size_t length = strcspn(id, "@");

	buffer_puts(out, "=_");
	for (size_t i = 0; i < length && i < 60; i++)
		if (isalnum((unsigned char)id[i]) || id[i] == '-')
			buffer_putc(out, id[i]);
}

/* One line of quoted-printable while it is written: its end is known late. */
struct quoted_line {
	struct buffer *out;
	char bytes[LINE_MAX_COLUMNS + 4];
	size_t length;
};

static void
quoted_line_end(struct quoted_line *line, const char *ending)
{
	size_t length = strlen(ending);

	memcpy(line->bytes + line->length, ending, length);
	buffer_append(line->out, line->bytes, line->length + length);
	line->length = 0;
}

/* A dot that opens a line could end the message; "From " is rewritten by mbox
 * stores; a blank that closes a line is lost. `rest` begins with the byte. */
static bool
needs_quoting(const char *rest, bool opens_line)
{
	uint8_t c = (uint8_t)rest[0];

	if (c == ' ' || c == '\t')
		return rest[1] == '\r' || rest[1] == '\n' || rest[1] == '\0';
	if (opens_line && (c == '.' || strncmp(rest, "From ", 5) == 0))
		return true;
	return c < 0x20 || c >= 0x7f || c == '=';
}

static void
quoted_line_put(struct quoted_line *line, const char *rest)
{
	static const char hex[] = "0123456789ABCDEF";
	bool quoted = needs_quoting(rest, line->length == 0);
	uint8_t c = (uint8_t)rest[0];

	if (line->length + (quoted ? 3 : 1) > LINE_MAX_COLUMNS - 1) {
		quoted_line_end(line, "=\r\n");
		quoted = needs_quoting(rest, true);
	}
	if (quoted) {
		line->bytes[line->length++] = '=';
		line->bytes[line->length++] = hex[c >> 4];
		line->bytes[line->length++] = hex[c & 15];
	} else {
		line->bytes[line->length++] = rest[0];
	}
}

/* RFC 2045 §6.7. CRLF, LF and CR are line ends alike. */
static void
put_quoted_printable(struct buffer *out, const char *text)
{
	struct quoted_line line = { .out = out };

	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\r' && c[1] == '\n')
			continue;
		if (*c == '\r' || *c == '\n')
			quoted_line_end(&line, "\r\n");
		else
			quoted_line_put(&line, c);
	}
	if (line.length > 0)
		quoted_line_end(&line, "\r\n");
}

static void
put_part(struct buffer *out, const char *id, const char *type, const char *text)
{
	buffer_puts(out, "\r\n--");
	put_boundary(out, id);
	buffer_printf(out, "\r\nContent-Type: %s; charset=utf-8\r\n"
		"Content-Transfer-Encoding: quoted-printable\r\n\r\n", type);
	put_quoted_printable(out, text);
}

/* Every header that libesmtp would otherwise make up is given here. */
static void
put_headers(struct buffer *out, const struct message *message)
{
	put_date(out, message->date);
	buffer_puts(out, "Message-ID: <");
	put_token(out, message->id);
	buffer_puts(out, ">\r\n");
	put_mailbox_header(out, "From", message->from_name, message->from_address);
	put_mailbox_header(out, "To", message->to_name, message->to_address);
	put_text_header(out, "Subject", message->subject);
	put_token_header(out, "Content-Language", message->language);
	/* RFC 3834: vacation responders leave it alone. */
	buffer_puts(out, "Auto-Submitted: auto-generated\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/alternative;\r\n boundary=\"");
	put_boundary(out, message->id);
	buffer_puts(out, "\"\r\n");
}

void
message_build(const struct message *message, struct buffer *out)
{
	put_headers(out, message);
	put_part(out, message->id, "text/plain", message->text);
	put_part(out, message->id, "text/html", message->html);
	buffer_puts(out, "\r\n--");
	put_boundary(out, message->id);
	buffer_puts(out, "--\r\n");
}
