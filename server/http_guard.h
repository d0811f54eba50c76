/*
 * http_guard: which requests are refused before anyone looks at what they want.
 *
 * evhttp reads more than RFC 9112 allows: a second Content-Length, an unknown
 * Transfer-Encoding, a blank before a colon, a body behind HEAD. What it reads
 * one way and a proxy in front another way lets a client hide a request inside a
 * request. Here all of it is a fault, and a fault ends the connection.
 *
 * Pure: no libevent, no memory of its own. A fault is static text that may be
 * shown to the client; NULL means that there is none.
 */
#ifndef ROLLCALL_HTTP_GUARD_H
#define ROLLCALL_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Browsers send some 20 headers, proxies add some 5. */
#define HTTP_GUARD_HEADERS_MAX 64

/* The request's bytes up to the empty line. evhttp's parser ends a line at a bare
 * LF, a value at a NUL, and the whole head at a line that begins with NUL; none
 * of this can be seen in what it hands over. */
struct http_head_scan {
	const char *fault;
	bool has_ended;		/* what follows is body */
	bool is_past_first_line;
	bool is_in_line;	/* a byte other than CR was seen in this line */
	bool follows_cr;
	bool is_chunked;	/* a line begins as Transfer-Encoding does: the body is chunked,
				 * if the head is one that is not refused */
	unsigned char matched;	/* of its name, in this line */
};

#define HTTP_HEAD_SCAN_INIT ((struct http_head_scan){ 0 })

/* The next bytes, in any portions: how many of them are the head's. Nothing is taken after
 * its end, and everything after a fault. */
size_t http_head_scan_feed(struct http_head_scan *scan, const char *bytes, size_t length);

/* Headers one by one, as evhttp has split them, then the verdict over all. */
struct http_guard {
	const char *fault;
	int header_count;
	unsigned once_seen;	/* bits: headers that may appear once and did */
	bool has_body;		/* by Content-Length or Transfer-Encoding */
};

#define HTTP_GUARD_INIT ((struct http_guard){ 0 })

void http_guard_add_header(struct http_guard *guard, const char *name, const char *value);
const char *http_guard_verdict(const struct http_guard *guard, int major, int minor,
	bool is_head) __attribute__((warn_unused_result));

/* Takes the target apart in its own memory: the decoded path, which is valid UTF-8
 * without control characters, and the query as it came, or NULL. An encoded slash
 * becomes a slash. */
const char *http_guard_split_target(char *target, const char **path, const char **query)
	__attribute__((warn_unused_result));
/* Before that: where in the decoded path the first slash stands that came encoded; SIZE_MAX
 * for none. To whoever filters paths in front of us it is none. */
size_t http_guard_encoded_slash(const char *target);

/* Whether it may stand in a header: no control byte but the tab, valid UTF-8. */
bool http_guard_value_is_clean(const char *value);
/* An RFC 9110 token. */
bool http_guard_is_token(const char *text);
/* Whether a list of tokens has this one, in any case. */
bool http_guard_list_has(const char *list, const char *token);

#endif
