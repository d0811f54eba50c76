/*
 * parse_xlsx: the rows of an XLSX workbook's first sheet, as texts.
 *
 * In a child (parser_child.h) when the file is a stranger's. Numbers are written as
 * digits, days as 2024-02-29, truths as true and false; formulas are never evaluated:
 * the value that the workbook holds for them counts, or the cell has none.
 */
#ifndef ROLLCALL_PARSE_XLSX_H
#define ROLLCALL_PARSE_XLSX_H

#include "row_writer.h"

/* False: the writer holds the fault. */
bool parse_xlsx(const uint8_t *bytes, size_t length, struct row_writer *writer);

#endif
