/*
 * user_sheet: people as the rows of a sheet: what an export is.
 *
 * The columns are those of user_columns.h that are exported, but id and version, which
 * machines read, stand last, behind the organization's own fields. Whatever is written can
 * be imported again: a header is the label that its reader knows the column by, unless it
 * could be taken for another's.
 */
#ifndef ROLLCALL_USER_SHEET_H
#define ROLLCALL_USER_SHEET_H

#include <libpq-fe.h>

struct buffer;
struct field_set;
struct sheet;

/* The header of a custom field: its label, or attributes.KEY. */
void user_sheet_field_header(struct buffer *out, const struct field_set *fields, size_t index);
/* The row of headers, in a language that user_column_label knows. */
void user_sheet_write_headers(struct sheet *sheet, const struct field_set *fields, const char *language);
/* The keys of the fields as a text[], for the query of a page. */
void user_sheet_keys(struct buffer *out, const struct field_set *fields);
/* A page of the query user_export_page (or _search) with those keys. */
void user_sheet_write_rows(struct sheet *sheet, const struct field_set *fields, const PGresult *rows);

#endif
