/*
 * import_form: what a caller says of a file that he wants imported: its name, its charset,
 * and what its columns mean.
 *
 * It comes beside the file's bytes as parameters, or alone as JSON; what is wrong with it is
 * the same in both. Every fault goes to the request.
 */
#ifndef ROLLCALL_IMPORT_FORM_H
#define ROLLCALL_IMPORT_FORM_H

#include "body.h"
#include "request.h"

#define IMPORT_PART_BYTES (1024 * 1024)			/* of all parts but the last */
#define IMPORT_FILE_BYTES_MAX (32 * 1024 * 1024)	/* as much as the worker parses */

/* Texts for the queries, in scratch. */
struct import_form {
	const char *file_name;		/* without a path */
	const char *content_type;	/* NULL: not said */
	const char *size;		/* in bytes */
	const char *charset;		/* NULL: to be guessed */
	const char *mapping;		/* a JSON object; NULL: to be guessed */
	const char *bytes;		/* base64; NULL: it comes in parts */
};

extern const struct body_field import_create_fields[];
extern const char *const import_create_parameters[];
extern const struct body_field import_parse_fields[];

/* STEP_NEXT, or the answer. */
enum step import_form_read(struct request *rq, struct import_form *form);
/* The charset and mapping of the body alone. */
enum step import_form_read_wishes(struct request *rq, struct import_form *form);
/* STEP_NEXT when what came as bytes can be (a part of) a file, by its Content-Type. */
enum step import_check_media_type(struct request *rq);
/* The request's bytes as base64. */
const char *import_bytes(struct request *rq);

#endif
