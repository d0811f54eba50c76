/*
 * http_connection: one client's connection, from accept to the last byte.
 *
 * Owns deadlines and endings. evhttp owns the connection proper; we know of it
 * through three callbacks: its stream is made, its input changed, it closes. Every
 * phase has a limit counted from its beginning, so a client that drips a byte now
 * and then gains nothing.
 *
 * Always true: each connection is in exactly one of the server's two lists, until
 * on_closed or the end of its lingering takes it out. evhttp's callbacks on the
 * stream are never touched, and reading is never switched on again, while evhttp
 * has it: a byte at the wrong moment makes evhttp exit the process.
 */
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "http_listener.h"
#include "http_priv.h"
#include "log.h"
#include "memory.h"
#include "shared_page.h"

#define CONNECTION_MAGIC 0x48434f4eu

/* Head and body, from the first byte: the largest body over 300 kbit/s. */
#define READING_LIMIT_MS 30000
/* What is left of a phase that the client draws out, once the server drains: together
 * with its answer it shall fit before DRAIN_DEADLINE_S (process.h). */
#define DRAINING_LIMIT_MS 5000
/* Long enough for the last reply to be read by whoever is still sending. */
#define LINGERING_LIMIT_MS 2000
/* The log hears of a crowd once in so long. */
#define CROWDED_SILENCE_MS 60000
/* Past this evhttp has a whole request in hand, or a chunk line without an end. */
#define INPUT_MAX (HTTP_BODY_MAX + HTTP_HEADERS_MAX)

static struct http_connection *
connection_from(void *context)
{
	struct http_connection *connection = context;

	assert(connection != NULL && connection->magic == CONNECTION_MAGIC);
	return connection;
}

void
http_connection_enter(struct http_connection *connection, enum http_phase phase, int64_t limit_ms)
{
	connection->phase = phase;
	connection->since_ms = clock_monotonic_ms();
	connection->limit_ms = limit_ms;
}

static void
scan(struct http_connection *connection, const char *bytes, size_t length)
{
	size_t head = http_head_scan_feed(&connection->head, bytes, length);

	if (connection->head.has_ended && connection->head.is_chunked)
		http_chunk_scan_feed(&connection->chunks, bytes + head, length - head);
}

/* Bytes from `start` on are new in the input buffer. */
static void
take_in(struct http_connection *connection, struct evbuffer *input, size_t start, size_t length)
{
	struct evbuffer_ptr at;
	struct evbuffer_iovec span;

	if (connection->phase == PHASE_IDLE) {
		http_connection_enter(connection, PHASE_READING, READING_LIMIT_MS);
		connection->head = HTTP_HEAD_SCAN_INIT;
		connection->chunks = HTTP_CHUNK_SCAN_INIT;
	}
	if (connection->phase != PHASE_READING || (connection->head.has_ended && !connection->head.is_chunked) ||
		evbuffer_ptr_set(input, &at, start, EVBUFFER_PTR_SET) != 0)
		return;
	while (length > 0 && evbuffer_peek(input, -1, &at, &span, 1) > 0) {
		size_t taken = span.iov_len < length ? span.iov_len : length;

		scan(connection, span.iov_base, taken);
		length -= taken;
		if (length > 0 && evbuffer_ptr_set(input, &at, taken, EVBUFFER_PTR_ADD) != 0)
			break;
	}
}

static void
on_input(struct evbuffer *input, const struct evbuffer_cb_info *change, void *context)
{
	if (change->n_added > 0)
		take_in(connection_from(context), input,
			evbuffer_get_length(input) - change->n_added, change->n_added);
}

/* What evhttp answers by itself, while a request comes in, no handler sees. "100
 * Continue" is no answer yet. */
static void
on_output(struct evbuffer *output, const struct evbuffer_cb_info *change, void *context)
{
	struct http_connection *connection = connection_from(context);
	char begin[sizeof("HTTP/1.1 4") - 1];
	struct evbuffer_ptr at;

	if (connection->phase == PHASE_READING && change->n_added >= sizeof(begin) &&
		evbuffer_ptr_set(output, &at, change->orig_size, EVBUFFER_PTR_SET) == 0 &&
		evbuffer_copyout_from(output, &at, begin, sizeof(begin)) == (ssize_t)sizeof(begin) &&
		memcmp(begin, "HTTP/", 5) == 0 && begin[sizeof(begin) - 1] != '1')
		metric_add(connection->server->page, METRIC_HTTP_REFUSED, 1);
}

void
http_connection_next(struct http_connection *connection)
{
	struct evbuffer *input = bufferevent_get_input(connection->stream);
	size_t length = evbuffer_get_length(input);

	http_connection_enter(connection, PHASE_IDLE, NO_LIMIT_MS);
	if (length > 0)
		take_in(connection, input, 0, length);
}

static void
update_accepting(struct http_server *server)
{
	if (server->listener != NULL)
		http_listener_set_accepting(server->listener,
			server->connection_count < server->connections_max);
}

/* No more are accepted now, and the tick ends idle ones sooner (http.c). */
static void
become_crowded(struct http_server *server)
{
	char count[16];
	int64_t now_ms = clock_monotonic_ms();

	update_accepting(server);
	if (server->crowded_said_ms != 0 && now_ms - server->crowded_said_ms < CROWDED_SILENCE_MS)
		return;
	server->crowded_said_ms = now_ms;
	snprintf(count, sizeof(count), "%d", server->connection_count);
	log_warn("all connections are taken: idle ones end sooner, and who comes waits for it", "connections", count, NULL);
}

struct bufferevent *
http_connection_open(struct event_base *base, void *context)
{
	struct http_server *server = http_server_from(context);
	struct http_connection *connection = xcalloc(1, sizeof(*connection));

	connection->magic = CONNECTION_MAGIC;
	connection->server = server;
	connection->exchange.connection = connection;
	connection->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (connection->stream == NULL)
		abort();
	/* Without it a client could pour in bytes while its reply waits to be read. */
	bufferevent_setwatermark(connection->stream, EV_READ, 0, INPUT_MAX);
	evbuffer_add_cb(bufferevent_get_input(connection->stream), on_input, connection);
	evbuffer_add_cb(bufferevent_get_output(connection->stream), on_output, connection);
	http_connection_enter(connection, PHASE_IDLE, NO_LIMIT_MS);

	/* evhttp may yet fail to take it up: our reference keeps it until then. */
	bufferevent_incref(connection->stream);
	LIST_INSERT_HEAD(&server->unsettled, connection, link);
	event_active(server->turn, EV_TIMEOUT, 0);
	server->connection_count++;
	if (server->connection_count >= server->connections_max)
		become_crowded(server);
	return connection->stream;
}

/* Takes it out of the books. What has the stream must be told before. */
static void
forget(struct http_connection *connection)
{
	struct http_server *server = connection->server;

	evbuffer_remove_cb(bufferevent_get_input(connection->stream), on_input, connection);
	evbuffer_remove_cb(bufferevent_get_output(connection->stream), on_output, connection);
	LIST_REMOVE(connection, link);
	connection->magic = 0;
	free(connection);
	if (server->connection_count-- >= server->connections_max)
		update_accepting(server);
	if (server->is_draining && !server->is_freeing)
		event_active(server->turn, EV_TIMEOUT, 0);
}

void
http_connection_release(struct http_connection *connection)
{
	struct bufferevent *stream = connection->stream;

	bufferevent_setcb(stream, NULL, NULL, NULL, NULL);
	bufferevent_disable(stream, EV_READ | EV_WRITE);
	forget(connection);
	bufferevent_decref(stream);
}

/* 1: there is something to read; 0: nothing; -1: the client has closed. */
static int
look_at_socket(const struct http_connection *connection)
{
	char byte;
	ssize_t count = recv(bufferevent_getfd(connection->stream), &byte, 1,
		MSG_PEEK | MSG_DONTWAIT);

	if (count > 0)
		return 1;
	return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

/* Closing with input unread makes TCP reset the connection, and the reset overtakes
 * the reply: the client of an oversized body would see "connection reset" where
 * 413 was sent. Where evhttp answers while it reads, more is sure to come. */
static bool
must_linger(const struct http_connection *connection)
{
	int look;

	if (connection->is_cut || connection->server->is_freeing)
		return false;
	look = look_at_socket(connection);
	return look > 0 || (look == 0 && connection->phase == PHASE_READING);
}

static void
on_closed(struct evhttp_connection *evhttp, void *context)
{
	struct http_connection *connection = connection_from(context);
	struct http_server *server = connection->server;

	(void)evhttp;
	server->by_fd[bufferevent_getfd(connection->stream)] = NULL;
	connection->evhttp = NULL;
	if (connection->phase == PHASE_PENDING || connection->phase == PHASE_STREAMING)
		http_exchange_abandon(&connection->exchange);
	if (!must_linger(connection)) {
		forget(connection);
		return;
	}
	/* evhttp is still busy with the stream: it frees it next, of which our
	 * reference keeps the socket, and then sends FIN. */
	bufferevent_incref(connection->stream);
	http_connection_enter(connection, PHASE_LINGERING, LINGERING_LIMIT_MS);
	LIST_REMOVE(connection, link);
	LIST_INSERT_HEAD(&server->unsettled, connection, link);
	event_active(server->turn, EV_TIMEOUT, 0);
}

static void
throw_away(struct bufferevent *stream, void *context)
{
	struct evbuffer *input = bufferevent_get_input(stream);

	(void)context;
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void
on_lingering_over(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	(void)what;
	http_connection_release(connection_from(context));
}

static void
remember(struct http_server *server, struct http_connection *connection)
{
	size_t fd = (size_t)bufferevent_getfd(connection->stream);

	if (fd >= server->by_fd_size) {
		size_t size = (fd + 1) * 2;

		server->by_fd = xrealloc(server->by_fd, size * sizeof(struct http_connection *));
		memset(server->by_fd + server->by_fd_size, 0,
			(size - server->by_fd_size) * sizeof(struct http_connection *));
		server->by_fd_size = size;
	}
	server->by_fd[fd] = connection;
}

/* evhttp makes its connection after it has asked for the stream, and names it
 * nowhere but in the context of the stream's callbacks. Early errors that evhttp
 * answers by itself never reach a handler, so this is the one place where every
 * connection can be told to report its end. */
static void
adopt(struct http_connection *connection)
{
	void *evhttp = NULL;

	bufferevent_getcb(connection->stream, NULL, NULL, NULL, &evhttp);
	if (evhttp == NULL) {
		http_connection_release(connection);	/* evhttp has given it up */
		return;
	}
	bufferevent_decref(connection->stream);
	connection->evhttp = evhttp;
	assert(evhttp_connection_get_bufferevent(evhttp) == connection->stream);
	evhttp_connection_set_closecb(evhttp, on_closed, connection);
	remember(connection->server, connection);
}

void
http_connection_settle(struct http_connection *connection)
{
	LIST_REMOVE(connection, link);
	LIST_INSERT_HEAD(&connection->server->settled, connection, link);
	if (connection->phase != PHASE_LINGERING) {
		adopt(connection);
		return;
	}
	throw_away(connection->stream, NULL);
	bufferevent_setcb(connection->stream, throw_away, NULL, on_lingering_over, connection);
	bufferevent_disable(connection->stream, EV_WRITE);
	bufferevent_enable(connection->stream, EV_READ);
}

void
http_connection_break(struct http_connection *connection)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	/* To a client of HTTP/1.0 the end of the connection is the end of the body: let it be
	 * no orderly one, as evhttp's would be. This resets it at once. */
	(void)connect(bufferevent_getfd(connection->stream), &nobody, sizeof(nobody));
	connection->is_cut = true;
	evhttp_connection_free(connection->evhttp);
}

static bool
has_expired(const struct http_connection *connection, int64_t now_ms, int64_t idle_limit_ms)
{
	const struct http_server *server = connection->server;
	int64_t since_ms = connection->since_ms;

	if (now_ms - since_ms >= (connection->phase == PHASE_IDLE ? idle_limit_ms : connection->limit_ms))
		return true;
	if (!server->is_draining || (connection->phase == PHASE_PENDING && !connection->exchange.is_stream))
		return false;
	/* A stream has many phases, and its client as much time as others in all. */
	if (since_ms < server->draining_since_ms || connection->exchange.is_stream)
		since_ms = server->draining_since_ms;
	return now_ms - since_ms >= DRAINING_LIMIT_MS;
}

void
http_connection_expire(struct http_connection *connection, int64_t now_ms, int64_t idle_limit_ms)
{
	if (!has_expired(connection, now_ms, idle_limit_ms))
		return;
	/* A request that is here but not read yet is not idleness. */
	if (connection->phase == PHASE_IDLE && look_at_socket(connection) > 0)
		return;
	connection->is_cut = true;
	if (connection->phase == PHASE_LINGERING)
		http_connection_release(connection);
	else if (connection->exchange.is_stream)
		http_connection_break(connection);
	else
		evhttp_connection_free(connection->evhttp);
}
