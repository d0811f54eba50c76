/*
 * Parts of 1 MiB, as base64 on their way.
 */
#include "file_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "encode.h"
#include "job_lease.h"
#include "queries.h"
#include "sheet.h"

#define PART_BYTES ((size_t)1024 * 1024)

static enum database_status
write_part(struct file_writer *writer, const uint8_t *bytes, size_t length)
{
	char *text = xmalloc((length + 2) / 3 * 4 + 1);
	char number[16];
	PGresult *result = NULL;

	snprintf(number, sizeof(number), "%d", writer->parts);
	base64_encode(bytes, length, text);
	const struct statement part = { &query_file_part_add,
		(const char *const[]){ writer->lease->org_id, writer->file_id, number, text } };
	const enum database_status status = job_lease_write(writer->lease, &part, 1, &result);
	PQclear(result);
	free(text);
	writer->parts++;
	return status;
}

enum database_status
file_writer_take(struct file_writer *writer, struct buffer *bytes, bool all)
{
	enum database_status status = DATABASE_OK;
	size_t taken = 0;

	while (status == DATABASE_OK && bytes->length - taken >= (all ? 1 : PART_BYTES)) {
		const size_t left = bytes->length - taken;
		const size_t length = left < PART_BYTES ? left : PART_BYTES;

		status = write_part(writer, (const uint8_t *)bytes->data + taken, length);
		taken += length;
	}
	if (taken > 0) {
		memmove(bytes->data, bytes->data + taken, bytes->length - taken + 1);
		bytes->length -= taken;
	}
	return status;
}

enum database_status
file_writer_take_book(struct file_writer *writer, struct sheet *sheet)
{
	uint8_t *bytes = xmalloc(PART_BYTES);
	enum database_status status = DATABASE_OK;
	size_t length;

	while (status == DATABASE_OK && (length = sheet_read_book(sheet, bytes, PART_BYTES)) > 0)
		status = write_part(writer, bytes, length);
	free(bytes);
	return status == DATABASE_OK && sheet->fault != SHEET_OK ? DATABASE_ERROR : status;
}
