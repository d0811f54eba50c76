/*
 * import_row: one row of a file: what its cells say of a user, and what is wrong with them.
 *
 * Cells become the body that the API would take (user_creation.h, user_editing.h), so that the same
 * decisions judge it; what they find is told by the column that it stands in.
 */
#ifndef ROLLCALL_IMPORT_ROW_H
#define ROLLCALL_IMPORT_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "import_columns.h"
#include "import_names.h"

struct json_object;
struct parser_row;
struct proposal;

struct import_row {
	uint32_t number;		/* in the file */
	struct buffer cells;		/* as a JSON array; without hashes of passwords */
	struct json_object *body;	/* owned */
	const char *id, *version;	/* of whom it is about, as the file says; NULL: it does not */
	const char *status;		/* "active"; NULL: not said */
	const char *email, *username, *external_id;	/* what he may be known by; NULL: not said */
	const char *password_hash;	/* NULL: none */
	struct buffer errors;		/* a JSON array without its brackets: [{column, code, detail}] */
	/* What is to become of it. */
	const char *outcome;		/* a word of import_row.outcome; NULL: nobody knows, so it is an error */
	const char *user_id, *seen_version;	/* whom it is about; NULL: a new user */
	const char *known_id;		/* who has its names already, where nothing is done to him; NULL: nobody, or several */
	uint32_t same_as;		/* the row that makes or changes the same one; 0: none */
	int operation;			/* in the batch; -1: none */
};

struct import_reading {
	const struct import_columns *columns;
	const struct import_names *names;
	bool restores_cells;		/* a CSV: texts that looked like formulas have an apostrophe */
	struct arena *arena;		/* of the batch */
};

/* Reads a row, which is zeroed. Cells that cannot be understood are told among the errors,
 * and the body is without them. */
void import_row_read(struct import_row *row, const struct import_reading *reading, const struct parser_row *parsed);
void import_row_free(struct import_row *row);

/* Adds an error. `field` is a column's key; NULL: none in particular. It is told by the header
 * that the file has for it. */
void import_row_error(struct import_row *row, const struct import_columns *columns, const char *field, const char *code,
	const char *detail);
bool import_row_has_error(const struct import_row *row);
/* What a proposal was refused with. */
void import_row_take_refusal(struct import_row *row, const struct import_columns *columns, const struct proposal *pr);

#endif
