/*
 * parse_file: what kind of file it is, by its content alone, and its rows.
 */
#ifndef ROLLCALL_PARSE_FILE_H
#define ROLLCALL_PARSE_FILE_H

#include "row_writer.h"

/* Told once, before the first row. */
typedef void parse_file_found(void *context, const struct parser_file *file);

/* False: the writer holds the fault. `found` gets the writer's context. */
bool parse_file(const uint8_t *bytes, size_t length, const char *charset, parse_file_found *found,
	struct row_writer *writer);

#endif
