/*
 * http_guard: what is refused of a request's head, and what is made of its target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "http_chunks.h"
#include "http_guard.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct header {
	const char *name, *value;
};

static const char *
verdict(const struct header *headers, int major, int minor, bool is_head)
{
	struct http_guard guard = HTTP_GUARD_INIT;

	for (; headers->name != NULL; headers++)
		http_guard_add_header(&guard, headers->name, headers->value);
	return http_guard_verdict(&guard, major, minor, is_head);
}

#define HOST { "Host", "x" }

static void
honest_heads_pass(void **state)
{
	static const struct {
		int minor;
		bool is_head;
		struct header headers[6];
	} cases[] = {
		{ 1, false, { HOST } },
		{ 1, true, { HOST } },
		{ 0, false, { { NULL, NULL } } },
		{ 0, false, { HOST } },
		{ 1, false, { { "hOST", "example.org:8080" } } },
		{ 1, false, { { "Host", "[2001:db8::1]:80" } } },
		{ 1, false, { { "Host", "" } } },
		{ 1, false, { HOST, { "Content-Length", "0" } } },
		{ 1, false, { HOST, { "content-length", "000000000000000003" } } },
		{ 1, false, { HOST, { "Content-Length", "999999999999999999" } } },
		{ 1, false, { HOST, { "Transfer-Encoding", "chunked" } } },
		{ 1, false, { HOST, { "Transfer-Encoding", "CHUNKED" } } },
		{ 1, true, { HOST, { "Content-Length", "0" } } },
		{ 1, true, { HOST, { "Content-Length", "000" } } },
		{ 1, false, { HOST, { "X-Forwarded-For", "10.0.0.1" }, { "X-Forwarded-For", "::1" } } },
		{ 1, false, { HOST, { "Accept", "a" }, { "Accept", "b" } } },
		{ 1, false, { HOST, { "X-Empty", "" } } },
		{ 1, false, { HOST, { "X-Tab", "a\tb" } } },
		{ 1, false, { HOST, { "User-Agent", "Ім’я" } } },
		{ 1, false, { HOST, { "!#$%&'*+-.^_`|~09azAZ", "v" } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_null(verdict(cases[i].headers, 1, cases[i].minor, cases[i].is_head));
}

static void
ambiguous_heads_are_refused(void **state)
{
	static const struct {
		int major, minor;
		bool is_head;
		struct header headers[5];
	} cases[] = {
		/* versions */
		{ 1, 2, false, { HOST } },
		{ 1, 9, false, { HOST } },
		{ 1, -1, false, { HOST } },
		{ -1, 1, false, { HOST } },
		{ 0, 9, false, { HOST } },
		{ 2, 0, false, { HOST } },
		/* Host */
		{ 1, 1, false, { { "Accept", "*" } } },
		{ 1, 1, false, { HOST, HOST } },
		{ 1, 0, false, { HOST, { "HOST", "y" } } },
		{ 1, 1, false, { { "Host", "a b" } } },
		{ 1, 1, false, { { "Host", "a/b" } } },
		{ 1, 1, false, { { "Host", "user@a" } } },
		{ 1, 1, false, { { "Host", "a,b/" } } },
		/* lengths */
		{ 1, 1, false, { HOST, { "Content-Length", "3" }, { "Content-Length", "3" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "3" }, { "content-length", "5" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "3, 3" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "+3" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "-0" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "0x3" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "3 " } } },
		{ 1, 1, false, { HOST, { "Content-Length", "1e3" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "1000000000000000000" } } },
		{ 1, 1, true, { HOST, { "Content-Length", "3" } } },
		{ 1, 1, true, { HOST, { "Transfer-Encoding", "chunked" } } },
		/* encodings */
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "xchunked" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "identity" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "gzip, chunked" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "\"chunked\"" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "chunked;q=1" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "\x0b" "chunked" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "" } } },
		{ 1, 0, false, { HOST, { "Transfer-Encoding", "chunked" } } },
		{ 1, 1, false, { HOST, { "Transfer-Encoding", "chunked" },
			{ "Transfer-Encoding", "chunked" } } },
		{ 1, 1, false, { HOST, { "Content-Length", "3" },
			{ "Transfer-Encoding", "chunked" } } },
		/* names and values */
		{ 1, 1, false, { HOST, { "Content-Length ", "3" } } },
		{ 1, 1, false, { HOST, { "", "v" } } },
		{ 1, 1, false, { HOST, { "a(b", "v" } } },
		{ 1, 1, false, { HOST, { "a\xc3\xa4", "v" } } },
		{ 1, 1, false, { HOST, { "A", " v" } } },
		{ 1, 1, false, { HOST, { "A", "\tv" } } },
		{ 1, 1, false, { HOST, { "A", "v\x01" } } },
		{ 1, 1, false, { HOST, { "A", "v\x7f" } } },
		{ 1, 1, false, { HOST, { "A", "v\rw" } } },
		{ 1, 1, false, { HOST, { "A", "v\nw" } } },
		{ 1, 1, false, { HOST, { "A", "\xff" } } },
		{ 1, 1, false, { HOST, { "A", "\xc0\xaf" } } },
		/* what counts once */
		{ 1, 1, false, { HOST, { "Authorization", "a" }, { "authorization", "a" } } },
		{ 1, 1, false, { HOST, { "Content-Type", "a" }, { "Content-Type", "b" } } },
		{ 1, 1, false, { HOST, { "Idempotency-Key", "a" }, { "Idempotency-Key", "b" } } },
		{ 1, 1, false, { HOST, { "Origin", "a" }, { "Origin", "b" } } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *fault = verdict(cases[i].headers, cases[i].major, cases[i].minor,
			cases[i].is_head);

		/* They are put into JSON as they are. */
		if (fault == NULL || strpbrk(fault, "\"\\\n") != NULL)
			fail_msg("case %zu: %s", i, fault != NULL ? fault : "passes");
	}
}

static void
the_number_of_headers_is_bounded(void **state)
{
	struct http_guard guard = HTTP_GUARD_INIT;

	(void)state;
	http_guard_add_header(&guard, "Host", "x");
	for (int i = 1; i < HTTP_GUARD_HEADERS_MAX; i++)
		http_guard_add_header(&guard, "A", "b");
	assert_null(http_guard_verdict(&guard, 1, 1, false));
	http_guard_add_header(&guard, "A", "b");
	assert_non_null(http_guard_verdict(&guard, 1, 1, false));
}

static void
targets_are_split_and_decoded(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
		{ "/", "/", NULL },
		{ "/a/b", "/a/b", NULL },
		{ "/a?", "/a", "" },
		{ "/a?b=1&c=%20", "/a", "b=1&c=%20" },
		{ "/a?b?c", "/a", "b?c" },
		{ "/a%20b", "/a b", NULL },
		{ "/%41%5a%7e", "/AZ~", NULL },
		{ "/a%2Fb", "/a/b", NULL },
		{ "/a%3Fb?c", "/a?b", "c" },
		{ "/a%23b", "/a#b", NULL },
		{ "/%25%32%30", "/%20", NULL },
		{ "/%D0%9F", "/П", NULL },
		{ "/x/%2e%2e/y", "/x/../y", NULL },
		{ "/a//b", "/a//b", NULL },
		{ "/a+b", "/a+b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char target[64];
		const char *path = NULL, *query = NULL;

		snprintf(target, sizeof(target), "%s", cases[i].target);
		assert_null(http_guard_split_target(target, &path, &query));
		assert_string_equal(path, cases[i].path);
		if (cases[i].query == NULL)
			assert_null(query);
		else
			assert_string_equal(query, cases[i].query);
	}
}

static void
targets_that_are_no_path_are_refused(void **state)
{
	static const char *const cases[] = {
		"", "*", "a", "?a", "//a", "http://a/b", "https://a/", "a:80",
		"/a b", " /a", "/a\tb", "/a\x01", "/a\x7f", "/\xc3\xa4", "/a#b", "/#",
		"/%", "/%4", "/%zz", "/%4g", "/a?%zz", "/a?b#c", "/a?\xff",
		"/%00", "/a%00b", "/%0a", "/%0D", "/%1f", "/%7F", "/%C2%85",
		"/%ff", "/%c0%af", "/%ed%a0%80", "/%C2",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char target[64];
		const char *path, *query;

		snprintf(target, sizeof(target), "%s", cases[i]);
		if (http_guard_split_target(target, &path, &query) == NULL)
			fail_msg("%s passes", cases[i]);
	}
}

static const struct {
	const char *bytes;
	size_t length;
	bool is_fault;
	size_t end;	/* where the head ends; 0: not in these bytes */
} heads[] = {
#define HEAD(text, is_fault, end) { text, sizeof(text) - 1, is_fault, end }
	HEAD("GET / HTTP/1.1\r\nA: b\r\n\r\n", false, 24),
	HEAD("GET / HTTP/1.0\r\n\r\n", false, 18),
	HEAD("GET / HTTP/1.1\r\nA: b\r\n", false, 0),
	HEAD("POST / HTTP/1.1\r\nA: b\r\n\r\n\0 \n\n", false, 25),	/* the body's business */
	HEAD("GET / HTTP/1.1\nA: b\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA: b\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA: b\r\n\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA: x\0y\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\n\0: x\r\n\r\n", true, 0),
	HEAD("GET /\0 HTTP/1.1\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA: x\r\n  y\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA: x\r\n\ty\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\n A: x\r\n\r\n", true, 0),
	HEAD("GET / HTTP/1.1\r\nA:\r\n chunked\r\n\r\n", true, 0),
#undef HEAD
};

static void
heads_are_scanned_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct http_head_scan scan = HTTP_HEAD_SCAN_INIT;

		http_head_scan_feed(&scan, heads[i].bytes, heads[i].length);
		if ((scan.fault != NULL) != heads[i].is_fault)
			fail_msg("head %zu: %s", i, scan.fault != NULL ? scan.fault : "no fault");
		if (!heads[i].is_fault)
			assert_int_equal(scan.has_ended, heads[i].end != 0);
	}
}

static void
heads_are_scanned_alike_in_any_portions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(heads); i++) {
		struct http_head_scan scan = HTTP_HEAD_SCAN_INIT;

		for (size_t at = 0; at < heads[i].length; at++) {
			http_head_scan_feed(&scan, heads[i].bytes + at, 1);
			if (heads[i].end != 0)
				assert_int_equal(scan.has_ended, at + 1 >= heads[i].end);
		}
		assert_int_equal(scan.fault != NULL, heads[i].is_fault);
	}
}

static void
a_head_says_that_its_body_comes_in_chunks(void **state)
{
	static const struct {
		const char *head;
		bool is_chunked;
	} cases[] = {
		{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\nA: b\r\ntransfer-ENCODING:chunked\r\n\r\n", true },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\nX-Transfer-Encoding: chunked\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\nTransfer-Encoding2: chunked\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\nA: Transfer-Encoding: chunked\r\n\r\n", false },
		{ "POST / HTTP/1.1\r\nTransfer-Encodin\r\ng: chunked\r\n\r\n", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_head_scan whole = HTTP_HEAD_SCAN_INIT, bytes = HTTP_HEAD_SCAN_INIT;
		const size_t length = strlen(cases[i].head);
		char more[128];

		snprintf(more, sizeof(more), "%sbody", cases[i].head);
		assert_int_equal(http_head_scan_feed(&whole, more, strlen(more)), length);
		assert_int_equal(http_head_scan_feed(&whole, "body", 4), 0);
		for (size_t at = 0; at < length; at++)
			assert_int_equal(http_head_scan_feed(&bytes, cases[i].head + at, 1), 1);
		assert_int_equal(whole.is_chunked, cases[i].is_chunked);
		assert_int_equal(bytes.is_chunked, cases[i].is_chunked);
	}
}

static const struct {
	const char *bytes;
	enum { WHOLE, NOT_YET, FAULT } is;
} bodies[] = {
	{ "0\r\n\r\n", WHOLE },
	{ "000\r\n\r\n", WHOLE },
	{ "3\r\nabc\r\n0\r\n\r\n", WHOLE },
	{ "A\r\n0123456789\r\n0f\r\n0123456789abcde\r\n0\r\n\r\n", WHOLE },
	{ "3\r\n\r\n\n\r\n0\r\n\r\n", WHOLE },
	{ "1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n", FAULT },
	{ "0\r\n\r\nGET / HTTP/1.1\r\n", WHOLE },
	{ "", NOT_YET },
	{ "fff\r\nabc", NOT_YET },
	{ "0\r\n", NOT_YET },
	{ "0\r\nA: b\r\n", FAULT },
	{ "1", NOT_YET },
	{ "000000000000000\r\n\r\n", WHOLE },
	{ "0000000000000000\r\n\r\n", FAULT },
	{ "\r\n0\r\n\r\n", FAULT },
	{ "0x3\r\nabc\r\n0\r\n\r\n", FAULT },
	{ "+3\r\nabc\r\n0\r\n\r\n", FAULT },
	{ "-3\r\nabc\r\n0\r\n\r\n", FAULT },
	{ " 3\r\nabc\r\n0\r\n\r\n", FAULT },
	{ "3 \r\nabc\r\n0\r\n\r\n", FAULT },
	{ "3 junk\r\nabc\r\n0\r\n\r\n", FAULT },
	{ "3;a=b\r\nabc\r\n0\r\n\r\n", FAULT },
	{ "3\nabc\r\n0\r\n\r\n", FAULT },
	{ "3\r\nabc\n0\r\n\r\n", FAULT },
	{ "3\r\nabc0\r\n\r\n", FAULT },
	{ "3\r\nabcd\r\n0\r\n\r\n", FAULT },
	{ "3\r\nab\r\n0\r\n\r\n", FAULT },
	{ "3\r\nabc\r\n\r\n0\r\n\r\n", FAULT },
	{ "0\n\n", FAULT },
	{ "0\r\n\n", FAULT },
	{ "0\r\nA: b\n\r\n", FAULT },
	{ "0\r\n\r\r\n", FAULT },
	{ "0\r\nA: b\rC: d\r\n\r\n", FAULT },
	{ "fffffffffffffffff\r\nabc", FAULT },
	{ "g\r\n", FAULT },
};

static void
assert_body(size_t i, const struct http_chunk_scan *scan)
{
	const int is = scan->fault != NULL ? FAULT : scan->state == CHUNK_ENDED ? WHOLE : NOT_YET;

	if (is != (int)bodies[i].is)
		fail_msg("body %zu: %s", i, scan->fault != NULL ? scan->fault : "no fault");
}

static void
chunks_are_read_strictly_and_alike_in_any_portions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bodies); i++) {
		const size_t length = strlen(bodies[i].bytes);

		for (size_t portion = 1; portion <= length + 1; portion++) {
			struct http_chunk_scan scan = HTTP_CHUNK_SCAN_INIT;

			for (size_t at = 0; at < length; at += portion)
				http_chunk_scan_feed(&scan, bodies[i].bytes + at,
					at + portion < length ? portion : length - at);
			assert_body(i, &scan);
		}
	}
}

static void
an_encoded_slash_is_found_where_it_stands_in_the_decoded_path(void **state)
{
	static const struct {
		const char *target;
		size_t at;
	} cases[] = {
		{ "/a/b", SIZE_MAX }, { "/a?b=%2F", SIZE_MAX }, { "/a%2Fb", 2 }, { "/a%2fb", 2 }, { "/%41%2F", 2 },
		{ "/%25%32%46", SIZE_MAX }, { "/%D0%9F/%2F", 4 }, { "/%2", SIZE_MAX }, { "/%", SIZE_MAX }, { "", SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(http_guard_encoded_slash(cases[i].target) == cases[i].at);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_heads_pass),
		cmocka_unit_test(ambiguous_heads_are_refused),
		cmocka_unit_test(the_number_of_headers_is_bounded),
		cmocka_unit_test(targets_are_split_and_decoded),
		cmocka_unit_test(targets_that_are_no_path_are_refused),
		cmocka_unit_test(heads_are_scanned_whole),
		cmocka_unit_test(heads_are_scanned_alike_in_any_portions),
		cmocka_unit_test(a_head_says_that_its_body_comes_in_chunks),
		cmocka_unit_test(chunks_are_read_strictly_and_alike_in_any_portions),
		cmocka_unit_test(an_encoded_slash_is_found_where_it_stands_in_the_decoded_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
