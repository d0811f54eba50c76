/*
 * CSV as RFC 4180 has it, and workbooks through libxlsxwriter.
 *
 * libxlsxwriter in its mode of constant memory writes each row to a temporary file of its
 * own and, when it is closed, packs the workbook into the file that we name: one that has
 * no name any more but that of our descriptor.
 */
#include "sheet.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xlsxwriter.h>

#include "buffer.h"
#include "cell.h"
#include "log.h"
#include "memory.h"

/* Beyond 4 GiB a part of the archive would have to be of a kind (zip64) that not every reader
 * knows: ours does not. */
#define PART_BYTES_MAX (UINT64_C(3) << 30)
/* What a cell is in XML besides its text. */
#define CELL_BYTES 64
/* Where an archive lists its files it says, in front of a name, how long the file was before it
 * was packed (PKWARE APPNOTE 4.3.12). What lists the dozen files of a workbook is far shorter. */
#define LISTING_BYTES_MAX 16384
#define LISTING_HEAD_BYTES 46
#define LISTING_LENGTH_AT 24
/* A double keeps so many digits as they were written. */
#define DIGITS_EXACT 15
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct sheet_book {
	lxw_workbook *workbook;		/* NULL once it is closed */
	lxw_worksheet *worksheet;
	int fd;
	uint64_t bytes;			/* of the sheet before it is packed, about */
};

/* ---- CSV. */

void
sheet_begin_csv(struct sheet *sheet, struct buffer *out, char delimiter)
{
	*sheet = (struct sheet){ .csv = out, .delimiter = delimiter };
	buffer_puts(out, BYTE_ORDER_MARK);
}

static bool
needs_quotes(const struct sheet *sheet, const char *text)
{
	const char special[] = { '"', '\r', '\n', sheet->delimiter, '\0' };
	const size_t length = strlen(text);

	/* Some readers drop blanks at the ends. */
	return text[strcspn(text, special)] != '\0' || (length > 0 && (text[0] == ' ' || text[length - 1] == ' '));
}

static void
write_quoted(struct buffer *out, const char *text)
{
	buffer_putc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"')
			buffer_putc(out, '"');
		buffer_putc(out, *text);
	}
	buffer_putc(out, '"');
}

static void
write_csv(struct sheet *sheet, const char *text)
{
	if (sheet->column > 0)
		buffer_putc(sheet->csv, sheet->delimiter);
	if (needs_quotes(sheet, text))
		write_quoted(sheet->csv, text);
	else
		buffer_puts(sheet->csv, text);
}

static void
write_csv_text(struct sheet *sheet, const char *text)
{
	struct buffer neutral = BUFFER_INIT;

	cell_neutralise(&neutral, text);
	write_csv(sheet, buffer_text(&neutral));
	buffer_free(&neutral);
}

/* ---- Workbooks. */

/* An open file without a name; -1. */
static int
open_nameless(void)
{
	const char *folder = getenv("TMPDIR");
	struct buffer path = BUFFER_INIT;
	int fd;

	buffer_printf(&path, "%s/rollcall-XXXXXX", folder != NULL && *folder != '\0' ? folder : "/tmp");
	fd = mkostemp(path.data, O_CLOEXEC);
	if (fd >= 0)
		unlink(path.data);
	buffer_free(&path);
	return fd;
}

static void
fail(struct sheet *sheet, const char *reason)
{
	sheet->fault = SHEET_NO_ROOM;
	log_error("could not write a workbook", "reason", reason, NULL);
}

void
sheet_begin_book(struct sheet *sheet)
{
	lxw_workbook_options options = { .constant_memory = LXW_TRUE };
	struct sheet_book *book = xcalloc(1, sizeof(*book));
	char name[64];

	*sheet = (struct sheet){ .book = book };
	book->fd = open_nameless();
	if (book->fd < 0) {
		fail(sheet, strerror(errno));
		return;
	}
	snprintf(name, sizeof(name), "/proc/self/fd/%d", book->fd);
	book->workbook = workbook_new_opt(name, &options);
	book->worksheet = book->workbook != NULL ? workbook_add_worksheet(book->workbook, NULL) : NULL;
	if (book->worksheet == NULL)
		fail(sheet, "libxlsxwriter could not begin it");
	else
		worksheet_freeze_panes(book->worksheet, 1, 0);
}

static void
take_error(struct sheet *sheet, lxw_error error)
{
	switch (error) {
	case LXW_NO_ERROR:
		break;
	case LXW_ERROR_WORKSHEET_INDEX_OUT_OF_RANGE:
		sheet->fault = SHEET_TOO_MANY_ROWS;
		break;
	case LXW_ERROR_MAX_STRING_LENGTH_EXCEEDED:
		sheet->fault = SHEET_CELL_TOO_LONG;
		break;
	default:
		fail(sheet, lxw_strerror(error));
	}
}

/* Whether another cell may be written. */
static bool
has_room(struct sheet *sheet, size_t length)
{
	if (sheet->fault == SHEET_OK && (sheet->book->bytes += CELL_BYTES + length) > PART_BYTES_MAX)
		sheet->fault = SHEET_TOO_MANY_ROWS;
	return sheet->fault == SHEET_OK;
}

/* Digits and a point that a double gives back. */
static bool
is_exact(const char *number)
{
	size_t digits = 0;

	number += *number == '-';
	for (const char *at = number; *at != '\0'; at++) {
		if ((*at < '0' || *at > '9') && *at != '.')
			return false;
		digits += *at != '.';
	}
	return digits > 0 && digits <= DIGITS_EXACT;
}

/* "_x0041_" is how a workbook writes an A that it could not write otherwise. */
static bool
begins_with_escape(const char *text)
{
	return text[0] == '_' && text[1] == 'x' && strspn(text + 2, "0123456789abcdefABCDEF") >= 4 && text[6] == '_';
}

/* Where a text has such a thing in it, its first underscore is written so. */
static void
write_book_text(struct sheet *sheet, const char *text)
{
	struct buffer escaped = BUFFER_INIT;

	if (!has_room(sheet, strlen(text)))
		return;
	for (const char *at = text; *at != '\0'; at++) {
		if (begins_with_escape(at))
			buffer_puts(&escaped, "_x005F");
		buffer_putc(&escaped, *at);
	}
	take_error(sheet, worksheet_write_string(sheet->book->worksheet, sheet->row, (lxw_col_t)sheet->column,
		buffer_text(&escaped), NULL));
	buffer_free(&escaped);
}

/* ---- Both. */

void
sheet_write_text(struct sheet *sheet, const char *text)
{
	if (sheet->csv != NULL)
		write_csv_text(sheet, text != NULL ? text : "");
	else if (text != NULL && *text != '\0')
		write_book_text(sheet, text);
	sheet->column++;
}

void
sheet_write_number(struct sheet *sheet, const char *number)
{
	if (number == NULL || (sheet->csv == NULL && !is_exact(number))) {
		sheet_write_text(sheet, number);
		return;
	}
	if (sheet->csv != NULL)
		write_csv(sheet, number);
	else if (has_room(sheet, 0))
		take_error(sheet, worksheet_write_number(sheet->book->worksheet, sheet->row, (lxw_col_t)sheet->column,
			strtod(number, NULL), NULL));
	sheet->column++;
}

void
sheet_end_row(struct sheet *sheet)
{
	if (sheet->csv != NULL)
		buffer_puts(sheet->csv, "\r\n");
	sheet->row++;
	sheet->column = 0;
	if (sheet->csv == NULL && sheet->row > LXW_ROW_MAX && sheet->fault == SHEET_OK)
		sheet->fault = SHEET_TOO_MANY_ROWS;
}

/* The length that the archive says the rows have; 0: it does not list them. */
static uint64_t
packed_length(int fd)
{
	static const char name[] = "xl/worksheets/sheet1.xml";
	const off_t end = lseek(fd, 0, SEEK_END), begin = end > LISTING_BYTES_MAX ? end - LISTING_BYTES_MAX : 0;
	uint8_t listing[LISTING_BYTES_MAX];
	const ssize_t count = pread(fd, listing, sizeof(listing), begin);
	const uint8_t *at = count > 0 ? memmem(listing, (size_t)count, name, strlen(name)) : NULL;

	/* A small archive has the file itself in these bytes, with the same name in front. */
	for (const uint8_t *next = at; next != NULL; next = memmem(at + 1, (size_t)(listing + count - at - 1), name, strlen(name)))
		at = next;
	if (at == NULL || at - listing < LISTING_HEAD_BYTES)
		return 0;
	at -= LISTING_HEAD_BYTES - LISTING_LENGTH_AT;
	return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24;
}

/* ---- Packing. libxlsxwriter does it in one call and tells nobody how far it is: so it is done
 * beside who waits for it. */

struct packing {
	lxw_workbook *workbook;
	lxw_error error;
};

static void *
pack(void *context)
{
	struct packing *packing = context;

	packing->error = workbook_close(packing->workbook);	/* frees it, whatever comes of it */
	return NULL;
}

/* Signals are for who waits. */
static bool
pack_beside(struct packing *packing, pthread_t *thread)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	const bool has_begun = pthread_create(thread, NULL, pack, packing) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return has_begun;
}

/* False: not within one pulse. */
static bool
is_packed(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SHEET_PULSE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

static lxw_error
close_workbook(lxw_workbook *workbook, sheet_pulse *pulse, void *context)
{
	struct packing packing = { .workbook = workbook };
	pthread_t thread;

	if (pulse == NULL || !pack_beside(&packing, &thread)) {
		pack(&packing);
	} else {
		while (!is_packed(thread))
			pulse(context);
	}
	return packing.error;
}

/* Of a disk that is full libxlsxwriter says nothing: what it could not write is missing. So
 * the rows are asked for before they are packed, and counted in what they were packed into. */
bool
sheet_close_book(struct sheet *sheet, sheet_pulse *pulse, void *context)
{
	struct sheet_book *book = sheet->book;
	lxw_workbook *workbook = book->workbook;
	FILE *rows;
	long length;

	if (sheet->fault != SHEET_OK)
		return false;
	rows = book->worksheet->optimize_tmpfile;
	length = fflush(rows) == 0 && ferror(rows) == 0 ? ftell(rows) : -1;
	book->workbook = NULL;
	take_error(sheet, close_workbook(workbook, pulse, context));
	if (sheet->fault == SHEET_OK && (length < 0 || packed_length(book->fd) < (uint64_t)length))
		fail(sheet, "some of its rows were not written");
	if (sheet->fault == SHEET_OK && lseek(book->fd, 0, SEEK_SET) != 0)
		fail(sheet, strerror(errno));
	return sheet->fault == SHEET_OK;
}

size_t
sheet_read_book(struct sheet *sheet, uint8_t *bytes, size_t size)
{
	size_t length = 0;
	ssize_t count = 0;

	while (length < size && (count = read(sheet->book->fd, bytes + length, size - length)) > 0)
		length += (size_t)count;
	if (count < 0)
		fail(sheet, strerror(errno));
	return length;
}

void
sheet_free_book(struct sheet *sheet)
{
	struct sheet_book *book = sheet->book;

	if (book == NULL)
		return;
	sheet->book = NULL;
	if (book->workbook != NULL)
		lxw_workbook_free(book->workbook);
	if (book->fd >= 0)
		close(book->fd);
	free(book);
}
