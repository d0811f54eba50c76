/*
 * http_chunks: whether a chunked body is framed as RFC 9112 §7.1 says.
 *
 * evhttp reads more than that: "+3", "0x3" and "3 junk" as sizes, blank lines between
 * chunks, lines that end in LF alone. Where a proxy in front reads something else, a
 * request hides in a body. So the bytes are looked at here as well, while they come in.
 *
 * Pure, and constant in memory. A fault is static text that may be shown to the client.
 */
#ifndef ROLLCALL_HTTP_CHUNKS_H
#define ROLLCALL_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_chunk_state {
	CHUNK_SIZE, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR, CHUNK_DATA_LF,
	CHUNK_TRAILER, CHUNK_END_LF, CHUNK_ENDED,
};

struct http_chunk_scan {
	const char *fault;
	enum http_chunk_state state;
	uint64_t left;		/* of the chunk, or its size as far as it was read */
	int digits;
};

#define HTTP_CHUNK_SCAN_INIT ((struct http_chunk_scan){ 0 })

/* The next bytes behind the head, in any portions. Does nothing after the end of the body
 * or a fault: what follows is another request's. */
void http_chunk_scan_feed(struct http_chunk_scan *scan, const char *bytes, size_t length);

#endif
