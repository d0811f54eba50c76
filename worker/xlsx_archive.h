/*
 * xlsx_archive: the archive that a workbook is, and the XML in its parts.
 *
 * Owns everything that libzip and expat are asked for, and the guards against files that
 * are made to harm: what is declared is checked when the archive is opened, what really
 * comes out is counted while it is read. Faults go to the row writer, with the row
 * that it is at.
 */
#ifndef ROLLCALL_XLSX_ARCHIVE_H
#define ROLLCALL_XLSX_ARCHIVE_H

#include "row_writer.h"

struct xlsx_archive;

/* Names come without their namespace's prefix. `attributes`: name, value, ..., NULL. */
struct xlsx_handlers {
	void (*start)(void *context, const char *name, const char **attributes);
	void (*end)(void *context, const char *name);
	void (*text)(void *context, const char *bytes, size_t length);	/* NULL: not wanted */
};

/* NULL: the writer holds the fault. The bytes must outlive the archive. */
struct xlsx_archive *xlsx_archive_open(const uint8_t *bytes, size_t length, struct row_writer *writer);
void xlsx_archive_free(struct xlsx_archive **archive);
bool xlsx_archive_has(const struct xlsx_archive *archive, const char *part);
/* There is something in it that has an archive's name. */
bool xlsx_archive_holds_archive(const struct xlsx_archive *archive);
/* Reads a part that is there; false: the writer holds the fault, from here or a handler. */
bool xlsx_archive_read(struct xlsx_archive *archive, const char *part, const struct xlsx_handlers *handlers,
	void *context);

/* The value, or NULL; by its name without prefix. */
const char *xlsx_attribute(const char **attributes, const char *name);

#endif
