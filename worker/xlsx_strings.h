/*
 * xlsx_strings: the texts that a workbook's cells share, by their index.
 */
#ifndef ROLLCALL_XLSX_STRINGS_H
#define ROLLCALL_XLSX_STRINGS_H

#include "xlsx_archive.h"

struct xlsx_strings {
	char *bytes;		/* all of them, behind one another */
	size_t length, capacity;
	uint32_t *ends;		/* where each ends; the top bit: it was too long and is empty */
	size_t count, ends_capacity;
};

enum xlsx_string { XLSX_STRING_FOUND, XLSX_STRING_MISSING, XLSX_STRING_TOO_LONG };

/* False: the writer holds the fault. Free it in any case. */
bool xlsx_strings_read(struct xlsx_strings *strings, struct xlsx_archive *archive, const char *part,
	struct row_writer *writer);
void xlsx_strings_free(struct xlsx_strings *strings);
/* `index` as a cell writes it. */
enum xlsx_string xlsx_strings_find(const struct xlsx_strings *strings, const char *index, const char **text,
	size_t *length);

#endif
