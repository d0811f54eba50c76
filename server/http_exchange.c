/*
 * http_exchange: one request and its reply.
 *
 * Owns what a handler sees. The request's texts lie in evhttp's memory, the path
 * decoded in place, and go with the reply. Never evhttp_request_own: the request
 * would leak when its client goes.
 *
 * Leaves to the layer above every header but Content-Length, Connection and Date,
 * except in the answers that the guard gives.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "access_log.h"
#include "buffer.h"
#include "http_priv.h"
#include "log.h"
#include "shared_page.h"
#include "uuid.h"

/* A reply is read within this much, and its bulk at 128 kbit/s or better. */
#define REPLY_LIMIT_MS 30000
#define REPLY_SLOWEST_BYTES_PER_MS 16
/* Each holds a piece while its client reads it. */
#define STREAMS_MAX 64

static const struct {
	enum evhttp_cmd_type command;
	enum http_method method;
} methods[] = {
	{ EVHTTP_REQ_GET, HTTP_GET },
	{ EVHTTP_REQ_HEAD, HTTP_HEAD },
	{ EVHTTP_REQ_POST, HTTP_POST },
	{ EVHTTP_REQ_PUT, HTTP_PUT },
	{ EVHTTP_REQ_PATCH, HTTP_PATCH },
	{ EVHTTP_REQ_DELETE, HTTP_DELETE },
	{ EVHTTP_REQ_OPTIONS, HTTP_OPTIONS },
};
#define METHOD_COUNT (sizeof(methods) / sizeof(methods[0]))

/* Those that evhttp does not know or knows by an older name. NULL: it knows. */
static const char *
reason_phrase(int status)
{
	switch (status) {
	case 413: return "Content Too Large";
	case 422: return "Unprocessable Content";
	case 424: return "Failed Dependency";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	default: return NULL;
	}
}

/* Where in the table; METHOD_COUNT when it is not there. */
static size_t
method_index(const struct evhttp_request *request)
{
	size_t i = 0;

	while (i < METHOD_COUNT && methods[i].command != evhttp_request_get_command(request))
		i++;
	return i;
}

static const char *
find_fault(struct http_exchange *exchange)
{
	struct evhttp_request *request = exchange->request;
	const struct http_head_scan *head = &exchange->connection->head;
	const struct http_chunk_scan *chunks = &exchange->connection->chunks;
	struct http_guard guard = HTTP_GUARD_INIT;
	const struct evkeyval *header;
	const char *fault;

	if (head->fault != NULL)
		return head->fault;
	if (method_index(request) == METHOD_COUNT)
		return "the method is not one of HTTP's for resources";
	TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next)
		http_guard_add_header(&guard, header->key, header->value);
	fault = http_guard_verdict(&guard, request->major, request->minor,
		evhttp_request_get_command(request) == EVHTTP_REQ_HEAD);
	if (fault == NULL && head->is_chunked)
		fault = chunks->fault != NULL || chunks->state == CHUNK_ENDED ? chunks->fault
			: "the body does not end where its chunks do";
	if (fault != NULL)
		return fault;
	exchange->encoded_slash = http_guard_encoded_slash(request->uri);
	return http_guard_split_target(request->uri, &exchange->path, &exchange->query);
}

/* An answer that no handler gives; the connection ends with it. */
static void
answer_problem(struct http_exchange *exchange, int status, const char *title, const char *code,
	const char *detail)
{
	struct buffer problem = BUFFER_INIT;
	char id[UUID_TEXT_SIZE];

	uuid_make_text(id);
	access_log_refusal(status, detail, http_peer(exchange), id);
	metric_add(exchange->connection->server->page, METRIC_HTTP_REFUSED, 1);
	exchange->closes = true;
	/* Texts of ours: they hold no character that JSON escapes. */
	buffer_printf(&problem, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,"
		"\"code\":\"%s\",\"detail\":\"%s\"}", title, status, code, detail);
	/* Ours, whatever came in: it may be what is malformed. */
	http_reply_header(exchange, "X-Request-Id", id);
	http_reply_header(exchange, "Content-Type", "application/problem+json");
	http_reply_header(exchange, "X-Content-Type-Options", "nosniff");
	http_reply_header(exchange, "Cache-Control", "no-store");
	if (status == 503)
		http_reply_header(exchange, "Retry-After", "1");
	http_reply(exchange, status, buffer_text(&problem), problem.length);
	buffer_free(&problem);
}

/* Nobody knows where the next request would begin. */
static void
refuse(struct http_exchange *exchange, const char *fault)
{
	struct evhttp_request *request = exchange->request;

	/* evhttp repeats a version that it does not know, never closes after CONNECT
	 * whatever the reply says, and says nothing of closing to a proxy's client. */
	if (request->major != 1 || (request->minor != 0 && request->minor != 1))
		request->major = request->minor = 1;
	if (request->type == EVHTTP_REQ_CONNECT)
		request->type = EVHTTP_REQ_GET;
	request->flags &= ~EVHTTP_PROXY_REQUEST;
	answer_problem(exchange, 400, "Bad Request", "malformed_request", fault);
}

/* evhttp knows the word by itself alone; it may be one of a list, over several lines (RFC 9112 §9.6). */
static bool
asks_to_close(struct evhttp_request *request)
{
	const struct evkeyval *header;

	TAILQ_FOREACH(header, evhttp_request_get_input_headers(request), next) {
		if (strcasecmp(header->key, "Connection") == 0 && http_guard_list_has(header->value, "close"))
			return true;
	}
	return false;
}

static void
on_replied(struct evhttp_request *request, void *context)
{
	(void)request;
	http_connection_next(context);
}

void
http_exchange_begin(struct evhttp_request *request, void *context)
{
	struct http_server *server = http_server_from(context);
	struct bufferevent *stream =
		evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
	struct http_connection *connection = server->by_fd[bufferevent_getfd(stream)];
	struct http_exchange *exchange;
	const char *fault;

	assert(connection != NULL && connection->stream == stream);
	exchange = &connection->exchange;
	*exchange = (struct http_exchange){ .connection = connection, .request = request, .closes = asks_to_close(request) };
	/* Handlers have deadlines of their own: statement_timeout, the hashing queue. */
	http_connection_enter(connection, PHASE_PENDING, NO_LIMIT_MS);
	evhttp_request_set_on_complete_cb(request, on_replied, connection);

	fault = find_fault(exchange);
	if (fault != NULL)
		refuse(exchange, fault);
	else if (server->handler == NULL)
		answer_problem(exchange, 503, "Service Unavailable", "unavailable",
			"This process is stopping. Try again after the seconds that Retry-After says.");
	else
		server->handler(server->context, exchange);
}

void
http_exchange_abandon(struct http_exchange *exchange)
{
	struct http_server *server = exchange->connection->server;

	/* evhttp frees the request with the connection, unless it has detached it
	 * because a write failed. */
	if (evhttp_request_get_connection(exchange->request) == NULL)
		evhttp_request_free(exchange->request);
	exchange->request = NULL;
	if (exchange->is_stream)
		server->stream_count--;
	exchange->is_stream = false;
	if (exchange->handler_data != NULL)
		server->gone(exchange->handler_data);
}

enum http_method
http_method_of(const struct http_exchange *exchange)
{
	return methods[method_index(exchange->request)].method;
}

const char *
http_path(const struct http_exchange *exchange)
{
	return exchange->path;
}

bool
http_path_is_plain(const struct http_exchange *exchange, size_t length)
{
	return exchange->encoded_slash >= length;
}

const char *
http_query(const struct http_exchange *exchange)
{
	return exchange->query;
}

/* Makes one line of several; all of them stay in their order. */
static const char *
join_lines(struct evkeyvalq *headers, const char *name)
{
	struct buffer joined = BUFFER_INIT;
	const char *value;

	while ((value = evhttp_find_header(headers, name)) != NULL) {
		buffer_puts(&joined, joined.length > 0 ? ", " : "");
		buffer_puts(&joined, value);
		evhttp_remove_header(headers, name);
	}
	evhttp_add_header(headers, name, buffer_text(&joined));
	buffer_free(&joined);
	return evhttp_find_header(headers, name);
}

const char *
http_header(const struct http_exchange *exchange, const char *name)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(exchange->request);
	const struct evkeyval *header;
	const char *value = NULL;

	TAILQ_FOREACH(header, headers, next) {
		if (strcasecmp(header->key, name) != 0)
			continue;
		if (value != NULL)
			return join_lines(headers, name);
		value = header->value;
	}
	return value;
}

const char *
http_body(struct http_exchange *exchange, size_t *length)
{
	if (exchange->body == NULL) {
		struct evbuffer *input = evhttp_request_get_input_buffer(exchange->request);

		exchange->body_length = evbuffer_get_length(input);
		evbuffer_add(input, "", 1);
		exchange->body = (const char *)evbuffer_pullup(input, -1);
	}
	*length = exchange->body_length;
	return exchange->body;
}

const char *
http_peer(const struct http_exchange *exchange)
{
	static const char mapped[] = "::ffff:";
	const char *host = exchange->request->remote_host;

	/* An IPv4 client of a socket that listens on [::]. */
	if (strncmp(host, mapped, sizeof(mapped) - 1) == 0 && strchr(host, '.') != NULL)
		return host + sizeof(mapped) - 1;
	return host;
}

void
http_set_data(struct http_exchange *exchange, void *handler_data)
{
	exchange->handler_data = handler_data;
}

void
http_reply_header(struct http_exchange *exchange, const char *name, const char *value)
{
	assert(http_guard_is_token(name));
	if (!http_guard_value_is_clean(value)) {
		log_error("could not send a header: its value holds control characters",
			"header", name, NULL);
		return;
	}
	evhttp_add_header(evhttp_request_get_output_headers(exchange->request), name, value);
}

static void
announce_close(struct evhttp_request *request)
{
	/* Else evhttp would promise an HTTP/1.0 client the contrary. */
	evhttp_remove_header(evhttp_request_get_input_headers(request), "Connection");
	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
}

static int64_t
limit_of(size_t length)
{
	return REPLY_LIMIT_MS + (int64_t)(length / REPLY_SLOWEST_BYTES_PER_MS);
}

void
http_reply(struct http_exchange *exchange, int status, const char *body, size_t length)
{
	struct http_connection *connection = exchange->connection;
	struct evhttp_request *request = exchange->request;

	assert(request != NULL);
	/* 204 and 304 have neither body nor length (RFC 9110 §8.6). */
	if (status != 204 && status != 304) {
		char digits[24];

		snprintf(digits, sizeof(digits), "%zu", length);
		evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Length",
			digits);
		if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD)
			evbuffer_add(evhttp_request_get_output_buffer(request), body, length);
	}
	if (exchange->closes || connection->server->is_draining)
		announce_close(request);
	exchange->request = NULL;
	http_connection_enter(connection, PHASE_REPLYING, limit_of(length));
	evhttp_send_reply(request, status, reason_phrase(status), NULL);
}

/* ---- Streams. */

bool
http_stream_has_room(const struct http_exchange *exchange)
{
	return exchange->connection->server->stream_count < STREAMS_MAX;
}

void
http_stream_begin(struct http_exchange *exchange, int status)
{
	struct http_server *server = exchange->connection->server;

	assert(exchange->request != NULL && !exchange->is_stream);
	server->stream_count++;
	exchange->is_stream = true;
	/* HTTP/1.0 knows no chunks: there the body ends with the connection. */
	if (exchange->closes || server->is_draining || exchange->request->minor == 0)
		announce_close(exchange->request);
	evhttp_send_reply_start(exchange->request, status, reason_phrase(status));
}

bool
http_stream_wants_body(const struct http_exchange *exchange)
{
	return evhttp_request_get_command(exchange->request) != EVHTTP_REQ_HEAD;
}

static void
on_taken(struct evhttp_connection *evhttp, void *context)
{
	struct http_connection *connection = context;
	void (*taken)(void *) = connection->exchange.taken;

	(void)evhttp;
	if (taken == NULL)
		return;
	connection->exchange.taken = NULL;
	http_connection_enter(connection, PHASE_PENDING, NO_LIMIT_MS);
	taken(connection->exchange.handler_data);
}

void
http_stream_write(struct http_exchange *exchange, const char *bytes, size_t length, void (*taken)(void *handler_data))
{
	struct evbuffer *piece = evbuffer_new();

	/* Of nothing evhttp would not tell that it has left. */
	assert(exchange->is_stream && exchange->taken == NULL && length > 0);
	if (piece == NULL || evbuffer_add(piece, bytes, length) != 0)
		abort();
	exchange->taken = taken;
	http_connection_enter(exchange->connection, PHASE_STREAMING, limit_of(length));
	evhttp_send_reply_chunk_with_cb(exchange->request, piece, on_taken, exchange->connection);
	evbuffer_free(piece);
}

/* It counts as one no more, and is no longer the handler's. */
static struct evhttp_request *
finish_stream(struct http_exchange *exchange)
{
	struct evhttp_request *request = exchange->request;

	assert(exchange->is_stream && exchange->taken == NULL);
	exchange->connection->server->stream_count--;
	exchange->is_stream = false;
	exchange->request = NULL;
	return request;
}

void
http_stream_end(struct http_exchange *exchange)
{
	struct evhttp_request *request = finish_stream(exchange);

	http_connection_enter(exchange->connection, PHASE_REPLYING, limit_of(0));
	evhttp_send_reply_end(request);
}

void
http_stream_break(struct http_exchange *exchange)
{
	/* Neither detached nor the handler's: evhttp frees the request with the connection. */
	(void)finish_stream(exchange);
	http_connection_enter(exchange->connection, PHASE_REPLYING, limit_of(0));
	http_connection_break(exchange->connection);
}
