/*
 * report_sheet: what became of an import: its file again, with what was done with each row.
 *
 * The outcome stands before the cells of the file, for rows may be longer than their
 * headers. The headers of what we add mean nothing to an import, so that a report whose
 * cells were put right can be imported.
 */
#ifndef ROLLCALL_REPORT_SHEET_H
#define ROLLCALL_REPORT_SHEET_H

#include <libpq-fe.h>
#include <stdbool.h>

struct sheet;

/* `headers` is the row of headers as a text[]; NULL: the file had none. */
void report_sheet_write_headers(struct sheet *sheet, const char *headers, const char *language);
/* A page of the query import_report_page. `is_csv`: so was the file, and its cells are marked
 * as cell.h says already. */
void report_sheet_write_rows(struct sheet *sheet, const PGresult *rows, const char *language, bool is_csv);

#endif
