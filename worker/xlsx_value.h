/*
 * xlsx_value: what a workbook's cell shows, from what its file stores.
 */
#ifndef ROLLCALL_XLSX_VALUE_H
#define ROLLCALL_XLSX_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "row_writer.h"

/* The text of a cell, in pieces as expat gives it. */
struct xlsx_text {
	size_t length;
	bool is_too_long;	/* more came than a cell may hold */
	char bytes[PARSER_CELL_BYTES_MAX + 1];
};

void xlsx_text_clear(struct xlsx_text *text);
void xlsx_text_add(struct xlsx_text *text, const char *bytes, size_t length);
/* Closes it with NUL, and resolves _xHHHH_, which stands for what XML cannot hold. */
void xlsx_text_finish(struct xlsx_text *text);

enum xlsx_format { XLSX_PLAIN, XLSX_DATE, XLSX_TIME, XLSX_DATE_TIME };

enum { XLSX_NUMBER_BYTES = 80 };

/* A number format that comes with every workbook, by its id. */
enum xlsx_format xlsx_format_builtin(long id);
/* One that a workbook brings along: "dd.mm.yyyy". */
enum xlsx_format xlsx_format_of(const char *code);
/* The digits without an exponent, and without what binary fractions add behind the 15th:
 * "3.80501234567E11" is 380501234567. What is no number, or needs more room than that,
 * stays as it is; false then. */
bool xlsx_number_text(const char *stored, char out[XLSX_NUMBER_BYTES]);
/* 2024-02-29, 2024-02-29T09:30:00 (not at midnight), 09:30:00; false: no such day. */
bool xlsx_date_text(const char *stored, enum xlsx_format format, bool is_1904, char out[XLSX_NUMBER_BYTES]);

#endif
