/*
 * Chunk by chunk: a size in hexadecimal digits, CR LF, as many bytes, CR LF; a size of
 * nothing, and an empty line. A trailer would become a header behind all that was decided by
 * the headers before it (X-Forwarded-For), so there is none. Extensions are no fault of the
 * sender, but evhttp refuses them itself (413).
 */
#include "http_chunks.h"

#include "encode.h"

/* 15 digits fit in 60 bits; the size itself is checked where the body is read. */
#define DIGITS_MAX 15

static void
read_size(struct http_chunk_scan *scan, char c)
{
	int value = hex_value(c);

	if (value >= 0 && scan->digits < DIGITS_MAX) {
		scan->left = scan->left << 4 | (uint64_t)value;
		scan->digits++;
	} else if (c == '\r' && scan->digits > 0) {
		scan->state = CHUNK_SIZE_LF;
	} else {
		scan->fault = "a chunk's size is not a hexadecimal number";
	}
}

static void
read_trailer(struct http_chunk_scan *scan, char c)
{
	if (c == '\r')
		scan->state = CHUNK_END_LF;
	else
		scan->fault = "there is a trailer, and no header may come behind the body";
}

/* One byte that must be there, and what comes behind it. */
static void
expect(struct http_chunk_scan *scan, char c, char expected, enum http_chunk_state next)
{
	if (c != expected)
		scan->fault = "a chunk does not end where its size says, or a line not in CR LF";
	scan->state = next;
}

static void
feed_byte(struct http_chunk_scan *scan, char c)
{
	switch (scan->state) {
	case CHUNK_SIZE:
		read_size(scan, c);
		break;
	case CHUNK_SIZE_LF:
		expect(scan, c, '\n', scan->left > 0 ? CHUNK_DATA : CHUNK_TRAILER);
		break;
	case CHUNK_DATA_CR:
		expect(scan, c, '\r', CHUNK_DATA_LF);
		break;
	case CHUNK_DATA_LF:
		expect(scan, c, '\n', CHUNK_SIZE);
		scan->left = 0;
		scan->digits = 0;
		break;
	case CHUNK_TRAILER:
		read_trailer(scan, c);
		break;
	case CHUNK_END_LF:
		expect(scan, c, '\n', CHUNK_ENDED);
		break;
	case CHUNK_DATA:
	case CHUNK_ENDED:
		break;
	}
}

void
http_chunk_scan_feed(struct http_chunk_scan *scan, const char *bytes, size_t length)
{
	while (length > 0 && scan->fault == NULL && scan->state != CHUNK_ENDED) {
		size_t taken = 1;

		if (scan->state != CHUNK_DATA) {
			feed_byte(scan, *bytes);
		} else {
			taken = scan->left < length ? (size_t)scan->left : length;
			scan->left -= taken;
			if (scan->left == 0)
				scan->state = CHUNK_DATA_CR;
		}
		bytes += taken;
		length -= taken;
	}
}
