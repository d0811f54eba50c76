/*
 * parser: the rows of an uploaded file, or one fault that says what is wrong and where.
 *
 * What a file says is decided in a child of its own (parser_child.h): a fresh image of
 * this program, without our memory, environment and files, which gets bytes through
 * one pipe and gives rows through another. It may be made to do anything by the file;
 * so nothing that comes back is believed (parser_wire.h), and it is killed at the
 * deadline. Blocking; SIGPIPE is ignored from the first call on.
 *
 * A program that calls parser_run calls parser_child_enter first of all in its main.
 */
#ifndef ROLLCALL_PARSER_H
#define ROLLCALL_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parser_fault.h"

#define PARSER_FILE_BYTES_MAX (32u * 1024 * 1024)
#define PARSER_CELL_BYTES_MAX (32u * 1024)
#define PARSER_COLUMNS_MAX 256
#define PARSER_ROWS_MAX 1000000u
#define PARSER_PULSE_MS 1000

enum parser_value {
	PARSER_TEXT,		/* the text is what the cell shows */
	PARSER_ERROR,		/* the text is a spreadsheet's error: #N/A, #REF! */
	PARSER_NO_VALUE,	/* a formula whose value the file does not hold; the text is empty */
};

struct parser_cell {
	const char *text;	/* UTF-8 without NUL inside, closed by NUL */
	uint32_t length;
	enum parser_value value;
};

/* Rows come in order; those with nothing in them are left out, but are counted. */
struct parser_row {
	uint32_t number;	/* in the file, from 1, as a spreadsheet counts: an entry, not a line */
	int count;		/* 1 to PARSER_COLUMNS_MAX */
	const struct parser_cell *cells;
};

/* Takes a row, which lives until it returns; false: enough. */
typedef bool parser_take(void *context, const struct parser_row *row);
/* Called again and again, also while the child is silent, at least every PARSER_PULSE_MS; false: enough. */
typedef bool parser_pulse(void *context);

enum parser_format { PARSER_CSV, PARSER_XLSX };

/* What the file was taken for. */
struct parser_file {
	enum parser_format format;
	const char *charset;	/* "utf-8", "utf-16le", "utf-16be", "windows-1251", "windows-1252" */
	bool is_guess;		/* nothing in the file and nobody said so */
	int sure_percent;	/* 100 where it is no guess */
	char delimiter;		/* of a CSV: comma, semicolon or tab; else NUL */
};

struct parser_job {
	const uint8_t *bytes;
	size_t length;
	const char *charset;	/* decides for a CSV; NULL: guess */
	int deadline_ms;	/* what the child may take in all, the time spent in `take`
				 * and `pulse` aside; 0: a minute */
	size_t memory_bytes;	/* of the child; 0: 256 MiB */
	parser_take *take;
	parser_pulse *pulse;	/* NULL: nobody needs to know */
	void *context;
};

/* True: all rows were taken. False: `fault` says why not; rows before it were taken, and
 * are of no use (PARSER_FAULT_STOPPED: `take` or `pulse` had enough). `file` holds from the first
 * row on. */
bool parser_run(const struct parser_job *job, struct parser_file *file, struct parser_fault *fault)
	__attribute__((warn_unused_result));

#endif
