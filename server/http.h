/*
 * http: what stands between evhttp and a request: listening, guards, deadlines.
 *
 * Owns every libevent http detail. What comes out is a struct http_exchange: a
 * request that passed the guard, and exactly one reply to give. evhttp's traps are
 * dealt with here: methods, sizes, smuggling, slow clients, clients gone, descriptor
 * exhaustion, drain.
 */
#ifndef ROLLCALL_HTTP_H
#define ROLLCALL_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct event_base;
struct http_server;
struct http_exchange;
struct shared_page;

#define HTTP_BODY_MAX (1024 * 1024)
#define HTTP_HEADERS_MAX (16 * 1024)

enum http_method {
	HTTP_GET = 1 << 0, HTTP_HEAD = 1 << 1, HTTP_POST = 1 << 2, HTTP_PUT = 1 << 3,
	HTTP_PATCH = 1 << 4, HTTP_DELETE = 1 << 5, HTTP_OPTIONS = 1 << 6,
};

/* A request that passed the guard. All texts live until the reply. */
typedef void http_handler(void *context, struct http_exchange *exchange);
/* The client has gone before the reply: the exchange must not be used any more. Comes
 * only for exchanges whose data is set, and from http_server_free for all of them. */
typedef void http_gone(void *handler_data);

/* Binds with SO_REUSEPORT to every address of the configured host; dies when it
 * cannot. SIGPIPE is ignored from here on. What is refused before the handler sees it is
 * counted in the page. */
struct http_server *http_server_create(struct event_base *base, const struct config *config,
	struct shared_page *page, int child, http_handler *handler, http_gone *gone, void *context);
/* Stops: what the kernel has queued is still accepted, and for a quarter of a second
 * first bytes are still waited for. Then idle connections are closed; one on which
 * the first byte of a request was read is not idle. What is answered from now on
 * carries Connection: close; a client that draws out its request, or the reading of
 * its reply, for more than five seconds is cut. `drained` comes once, from the loop and
 * never inside the call, when no connection is left; it may free the server. Without
 * http_server_free a drain lasts as long as the slowest answer. */
void http_server_drain(struct http_server *server, void (*drained)(void *), void *context);
bool http_server_is_draining(const struct http_server *server);
/* The handler gets no more requests: what still comes is answered 503. */
void http_server_refuse(struct http_server *server);
void http_server_free(struct http_server **server);

enum http_method http_method_of(const struct http_exchange *exchange);
/* The decoded path: UTF-8 without control characters; %2F has become a slash. */
const char *http_path(const struct http_exchange *exchange);
/* Whether all slashes in its first bytes came as slashes. */
bool http_path_is_plain(const struct http_exchange *exchange, size_t length);
/* The raw query string, without the question mark; NULL when there is none. */
const char *http_query(const struct http_exchange *exchange);
/* NULL when missing. Header names are found in any case. Valid UTF-8 without control
 * characters but the tab; several lines of one name are joined with ", ". */
const char *http_header(const struct http_exchange *exchange, const char *name);
/* The body, contiguous; a NUL follows that `length` does not count. */
const char *http_body(struct http_exchange *exchange, size_t *length);
/* The peer's address as text, without port; an IPv4 address in IPv6 as IPv4. */
const char *http_peer(const struct http_exchange *exchange);

/* Data of the handler's that comes back in http_gone. */
void http_set_data(struct http_exchange *exchange, void *handler_data);

/* Before the reply. A value with CR, LF or another control byte, or that is not UTF-8,
 * is not sent, and logged. */
void http_reply_header(struct http_exchange *exchange, const char *name, const char *value);
/* Exactly once. For HEAD the body is measured and not sent; 204 and 304 have none. The
 * body is copied. Afterwards the exchange is gone, and its texts with it. */
void http_reply(struct http_exchange *exchange, int status, const char *body, size_t length);

/* Instead of http_reply: a body whose length nobody knows yet, in pieces. At most one piece
 * is on its way: what is written next waits for `taken`, when the kernel has all of it, and
 * takes no memory before. `taken` never comes inside the call, and not at all when the
 * client goes: then http_gone says so. A client that draws out a piece is cut as with a
 * reply; and a drain cuts a stream that it has waited for as long as for any client. */

/* False: as many streams as one process has are under way. */
bool http_stream_has_room(const struct http_exchange *exchange);
void http_stream_begin(struct http_exchange *exchange, int status);
/* Whether the request asks for a body at all (HEAD does not): if not, end it at once. */
bool http_stream_wants_body(const struct http_exchange *exchange);
void http_stream_write(struct http_exchange *exchange, const char *bytes, size_t length, void (*taken)(void *handler_data));
/* Exactly one of these two. Afterwards the exchange is gone. The second is for a body that
 * cannot be completed: the connection breaks, so that nobody takes what came for the whole. */
void http_stream_end(struct http_exchange *exchange);
void http_stream_break(struct http_exchange *exchange);

#endif
