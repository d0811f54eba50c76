/*
 * mime: reads what a stranger's mail program wrote: headers, the parts of a multipart, their
 * bodies (RFC 5322, 2045, 2046), as much as reports need that other systems send us. What was
 * made seven bits is mime_coding.h's.
 *
 * Nothing is believed and nothing is copied: pieces point into the text, which must outlive
 * them. Line ends are CRLF or LF. What is malformed is not there: no header, no parameter, no
 * further part. Time grows with the text, times the depth to which the caller goes.
 *
 * A library would do it, too: GMime brings GLib and twenty shared objects into each process,
 * aborts when it gets no memory, and repairs what had better be refused.
 */
#ifndef ROLLCALL_MIME_H
#define ROLLCALL_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct mime_piece {
	const char *text;
	size_t length;
};

/* A message or a part of one. */
struct mime_part {
	struct mime_piece headers, body;
};

/* Divides at the first empty line; without one, all of it is headers. */
struct mime_part mime_part_read(struct mime_piece text);

/* The first header of this name, unfolded, control bytes as blanks; what is longer than 4 kB
 * is cut. False: there is none, and `value` is empty. */
bool mime_header(struct mime_piece headers, const char *name, struct buffer *value);
/* Of a structured value (Content-Type): "type/subtype", without parameters, in small letters. */
void mime_type(const struct buffer *value, char *type, size_t size);
/* And one of its parameters, without quotes. */
bool mime_parameter(const struct buffer *value, const char *name, struct buffer *parameter);

/* Type of a part; "text/plain" where none is given. */
void mime_part_type(const struct mime_part *part, char *type, size_t size);
/* Its body, out of base64 or quoted-printable. */
void mime_part_decode(const struct mime_part *part, struct buffer *body);

/* The parts of a multipart, one after the other. The last may lack its end. */
struct mime_parts {
	struct mime_piece rest;
	char boundary[72];
	size_t boundary_length;
	bool is_over;
};

/* False: it is no multipart, or one without a usable boundary. */
bool mime_parts_begin(const struct mime_part *part, struct mime_parts *parts);
bool mime_parts_next(struct mime_parts *parts, struct mime_part *part);

#endif
