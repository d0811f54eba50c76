/*
 * http: what stands between evhttp and a request: listening, guards, deadlines.
 *
 * Owns every libevent http detail. What comes out is a struct http_exchange: a
 * request that passed the guard, and exactly one reply to give. Every trap of
 * LIBRARIES.md §2 is dealt with here: methods, sizes, smuggling, slow clients,
 * clients gone, descriptor exhaustion, drain.
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

#define HTTP_BODY_MAX (1024 * 1024)
#define HTTP_HEADERS_MAX (16 * 1024)

enum http_method {
	HTTP_GET = 1 << 0, HTTP_HEAD = 1 << 1, HTTP_POST = 1 << 2, HTTP_PUT = 1 << 3,
	HTTP_PATCH = 1 << 4, HTTP_DELETE = 1 << 5, HTTP_OPTIONS = 1 << 6,
};

/* A request that passed the guard. All texts live until the reply. */
typedef void http_handler(void *context, struct http_exchange *exchange);
/* The client has gone before the reply: the exchange must not be used any more. */
typedef void http_gone(void *handler_data);

/* Binds with SO_REUSEPORT; dies when it cannot. */
struct http_server *http_server_create(struct event_base *base, const struct config *config,
	http_handler *handler, http_gone *gone, void *context);
/* Stops accepting, closes idle connections, adds Connection: close to what is still
 * answered, and calls `drained` when no request is in flight (maybe at once). A
 * connection on which the first byte of a request was read is not idle. */
void http_server_drain(struct http_server *server, void (*drained)(void *), void *context);
void http_server_free(struct http_server **server);

enum http_method http_method_of(const struct http_exchange *exchange);
const char *http_method_name(const struct http_exchange *exchange);
/* The decoded path: printable UTF-8 without NUL. */
const char *http_path(const struct http_exchange *exchange);
/* The raw query string, without the question mark; NULL when there is none. */
const char *http_query(const struct http_exchange *exchange);
/* NULL when missing. Header names are found in any case. */
const char *http_header(const struct http_exchange *exchange, const char *name);
/* The body, contiguous; a NUL follows that `length` does not count. */
const char *http_body(struct http_exchange *exchange, size_t *length);
/* The peer's address as text, without port. */
const char *http_peer(const struct http_exchange *exchange);

/* Data of the handler's that comes back in http_gone. */
void http_set_data(struct http_exchange *exchange, void *handler_data);

/* Before the reply; values are checked: no CR, LF or other control byte. */
void http_reply_header(struct http_exchange *exchange, const char *name, const char *value);
/* Exactly once. For HEAD the body is measured and not sent. Afterwards the exchange is gone. */
void http_reply(struct http_exchange *exchange, int status, const char *body, size_t length);

#endif
