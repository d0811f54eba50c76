/*
 * sheet: a table that is written row by row, as CSV or as a workbook (XLSX).
 *
 * One writer for whatever becomes a file, so that both formats say the same. Neither holds
 * the table: CSV goes to a buffer that its owner empties as he likes, a workbook to temporary
 * files in TMPDIR, which have no name and go with the process. What a workbook cannot hold
 * is a fault, said once, and nothing more is written.
 */
#ifndef ROLLCALL_SHEET_H
#define ROLLCALL_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHEET_PULSE_MS 100

struct buffer;
struct sheet_book;

enum sheet_fault {
	SHEET_OK,
	SHEET_TOO_MANY_ROWS,	/* for a workbook: 1,048,576, or some GiB */
	SHEET_CELL_TOO_LONG,	/* for a workbook: 32,767 characters */
	SHEET_NO_ROOM,		/* for the temporary files; logged */
};

struct sheet {
	struct buffer *csv;		/* NULL: a workbook */
	char delimiter;
	uint32_t row, column;		/* of the cell to come, from 0 */
	enum sheet_fault fault;
	struct sheet_book *book;
};

/* Needs no closing. The buffer gets what tells spreadsheets that it is UTF-8. */
void sheet_begin_csv(struct sheet *sheet, struct buffer *out, char delimiter);
/* The fault may be there from the beginning. sheet_free in any case. */
void sheet_begin_book(struct sheet *sheet);

/* The next cell of the row; NULL is an empty one. Valid UTF-8. */
void sheet_write_text(struct sheet *sheet, const char *text);
/* A number as PostgreSQL or JSON prints it. In a workbook it is one to calculate with, unless
 * that would change its digits. */
void sheet_write_number(struct sheet *sheet, const char *number);
void sheet_end_row(struct sheet *sheet);

/* Called again and again while something takes long. */
typedef void sheet_pulse(void *context);
/* Of a workbook: completes it; false: sheet->fault says why not. Packing a large one takes
 * minutes: then the pulse is called every SHEET_PULSE_MS, by who waits here; NULL: nobody
 * needs to know. Then it is read from its
 * beginning: how many bytes there were, 0 at the end; or before it, with SHEET_NO_ROOM, where
 * it cannot be read. */
bool sheet_close_book(struct sheet *sheet, sheet_pulse *pulse, void *context) __attribute__((warn_unused_result));
size_t sheet_read_book(struct sheet *sheet, uint8_t *bytes, size_t size);
void sheet_free_book(struct sheet *sheet);

#define SHEET_TYPE_CSV "text/csv; charset=utf-8"
#define SHEET_TYPE_XLSX "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

#endif
