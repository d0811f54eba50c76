/*
 * import_columns: what the columns of a file mean.
 *
 * A header is what its author has written above a column. What it means is said by the
 * caller for this file, else what everybody means by it (user_columns.h), else the label or the
 * key of a custom field, else what was said of such a header when a file was applied before.
 * So nobody changes by what he says of his file what a header of ours means in another's.
 */
#ifndef ROLLCALL_IMPORT_COLUMNS_H
#define ROLLCALL_IMPORT_COLUMNS_H

#include <stdbool.h>

#include "field.h"
#include "user_columns.h"

struct arena;
struct buffer;
struct json_object;
struct parser_row;

#define IMPORT_HEADER_MAX 200		/* characters; a longer one is cut */

enum import_meaning {
	MEANING_NOBODYS,	/* nobody has said what it means */
	MEANING_GIVEN,		/* the caller, be it that it means nothing */
	MEANING_HEADER,		/* Rollcall's own words, or a custom field's */
	MEANING_REMEMBERED,
};

struct import_column {
	const char *header;			/* no two are alike */
	const struct user_column *column;	/* NULL: a custom field, or nothing */
	struct field *field;			/* NULL: not a custom field */
	bool is_secret;				/* what stands in it is for nobody to read */
	enum import_meaning said_by;
};

struct import_columns {
	struct arena *arena;
	struct field_set fields;
	struct json_object *labels;		/* [{key, labels: {language: label}}] */
	struct json_object *remembered, *wanted;	/* {header: field | null}; wanted may be NULL */
	struct import_column *list;
	int count;
};

/* From the columns of import_work_load; `wanted` may be NULL. */
void import_columns_read(struct import_columns *columns, struct arena *arena, const char *fields, const char *remembered,
	const char *wanted);
void import_columns_free(struct import_columns *columns);

/* From the file's first row. */
void import_columns_take_headers(struct import_columns *columns, const struct parser_row *row);
/* From headers (text[]), mapping and who said it (JSON; NULL: nobody knows) as they were kept. */
void import_columns_restore(struct import_columns *columns, const char *headers, const char *mapping, const char *mapping_from);

/* Whether any column tells whom a row is about. */
bool import_columns_name_people(const struct import_columns *columns);
/* The header of a column of passwords as they are, which the caller has not said to leave out; NULL:
 * there is none. */
const char *import_columns_find_passwords(const struct import_columns *columns);
/* The keys that the caller has named and no column or field has; empty when there are none. */
void import_columns_find_unknown(const struct import_columns *columns, struct buffer *out);
/* The column of a field's key ("email", "attributes.hub"); NULL: the file has none. */
const struct import_column *import_columns_find(const struct import_columns *columns, const char *key);
/* What is kept of what the caller has said, for files to come, as JSON: the headers [header, ...] of
 * which what was remembered is forgotten, and then {header: field} of those that mean something
 * which they would not mean by themselves. */
void import_columns_write_memory(const struct import_columns *columns, struct buffer *forget, struct buffer *remembered);
/* As JSON: [header, ...], {header: field | null} and {header: who says so | null}. */
void import_columns_write_headers(const struct import_columns *columns, struct buffer *out);
void import_columns_write_mapping(const struct import_columns *columns, struct buffer *out);
void import_columns_write_mapping_from(const struct import_columns *columns, struct buffer *out);

#endif
