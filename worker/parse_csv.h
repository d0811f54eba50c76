/*
 * parse_csv: the rows of a CSV file.
 *
 * In a child (parser_child.h) when the file is a stranger's. Never more of it is in
 * memory than the caller gave, one row, and a block of 16 kB.
 */
#ifndef ROLLCALL_PARSE_CSV_H
#define ROLLCALL_PARSE_CSV_H

#include "row_writer.h"

/* Says in `file` what was found out, and then writes the rows. False: the writer holds
 * the fault. `charset` NULL: guess. */
bool parse_csv_find(const uint8_t *bytes, size_t length, const char *charset, struct parser_file *file,
	struct row_writer *writer);
bool parse_csv(const uint8_t *bytes, size_t length, const struct parser_file *file, struct row_writer *writer);

#endif
