/*
 * file_writer: a file that a job makes, into the database part by part.
 *
 * Each part is a transaction of the job's, so nobody adds to a file of which somebody else
 * has become the maker; that also prolongs the lease.
 */
#ifndef ROLLCALL_FILE_WRITER_H
#define ROLLCALL_FILE_WRITER_H

#include <stdbool.h>

#include "database.h"

struct buffer;
struct job_lease;
struct sheet;

struct file_writer {
	struct job_lease *lease;
	const char *file_id;	/* of which no parts are there yet */
	int parts;
};

/* Writes what makes whole parts, and takes it out of the buffer; with `all` what is left, too. */
enum database_status file_writer_take(struct file_writer *writer, struct buffer *bytes, bool all)
	__attribute__((warn_unused_result));
/* Writes a workbook that is closed. DATABASE_ERROR also where it cannot be read. */
enum database_status file_writer_take_book(struct file_writer *writer, struct sheet *sheet)
	__attribute__((warn_unused_result));

#endif
