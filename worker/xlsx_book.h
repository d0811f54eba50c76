/*
 * xlsx_book: which parts of a workbook hold the first sheet, its texts and its formats.
 */
#ifndef ROLLCALL_XLSX_BOOK_H
#define ROLLCALL_XLSX_BOOK_H

#include "xlsx_archive.h"
#include "xlsx_value.h"

enum { XLSX_PART_BYTES = 256, XLSX_STYLES_MAX = 65536 };

/* Names of parts; "": there is none. */
struct xlsx_book {
	char sheet[XLSX_PART_BYTES];	/* the first that is not hidden */
	char strings[XLSX_PART_BYTES];
	char styles[XLSX_PART_BYTES];
	bool is_1904;
	uint8_t *formats;		/* by a cell's style: enum xlsx_format */
	size_t formats_count;
};

/* False: the writer holds the fault. Free it in any case. */
bool xlsx_book_read(struct xlsx_book *book, struct xlsx_archive *archive, struct row_writer *writer);
void xlsx_book_free(struct xlsx_book *book);

#endif
