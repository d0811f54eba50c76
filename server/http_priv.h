/*
 * http_priv: what http.c, http_connection.c and http_exchange.c share.
 *
 * A server has connections; a connection carries one exchange at a time (evhttp
 * reads the next request when the reply before is written), so the exchange lies
 * inside the connection and costs no memory of its own.
 */
#ifndef ROLLCALL_HTTP_PRIV_H
#define ROLLCALL_HTTP_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "http.h"
#include "http_chunks.h"
#include "http_guard.h"

struct bufferevent;
struct event;
struct evhttp;
struct evhttp_connection;
struct evhttp_request;
struct http_listener;
struct shared_page;

#define NO_LIMIT_MS INT64_MAX

struct http_exchange {
	struct http_connection *connection;
	struct evhttp_request *request;	/* NULL when there is nothing to answer */
	const char *path, *query;	/* in the request's memory */
	size_t encoded_slash;		/* in the path; SIZE_MAX: none */
	const char *body;		/* NULL until asked for */
	size_t body_length;
	bool closes;			/* the reply is the last on this connection */
	bool is_stream;			/* its reply has begun, and goes on */
	void (*taken)(void *);		/* the piece that is on its way has left; NULL: none is */
	void *handler_data;
};

enum http_phase {
	PHASE_IDLE,		/* no byte of a request yet */
	PHASE_READING,		/* a request is coming in */
	PHASE_PENDING,		/* the handler has it */
	PHASE_STREAMING,	/* a piece of the reply is on its way out; the next is the handler's to bring */
	PHASE_REPLYING,		/* the reply is on its way out */
	PHASE_LINGERING,	/* evhttp has let go; what still comes in is thrown away */
};

struct http_connection {
	unsigned magic;
	struct http_server *server;
	LIST_ENTRY(http_connection) link;
	struct bufferevent *stream;
	struct evhttp_connection *evhttp;	/* NULL before it is settled and while lingering */
	enum http_phase phase;
	int64_t since_ms, limit_ms;	/* of the phase; how long it may be idle is the server's */
	bool is_cut;			/* we end it, and not out of politeness */
	struct http_head_scan head;	/* of the request that is coming in */
	struct http_chunk_scan chunks;	/* of its body, where that is in chunks */
	struct http_exchange exchange;
};

LIST_HEAD(http_connections, http_connection);

struct http_server {
	unsigned magic;
	struct event_base *base;
	struct shared_page *page;
	struct evhttp *evhttp;
	struct http_listener *listener;	/* NULL once it is closed */
	http_handler *handler;		/* NULL: 503 for whatever still comes */
	http_gone *gone;
	void *context;

	/* Unsettled: evhttp is just taking them up or letting them go. */
	struct http_connections unsettled, settled;
	struct http_connection **by_fd;	/* the settled ones that evhttp has */
	size_t by_fd_size;
	int connection_count, connections_max;
	int64_t crowded_said_ms;	/* when the log was told last that all places are taken; 0: never */
	int stream_count;

	struct event *turn;		/* runs once at the end of a loop turn */
	struct event *tick;		/* once a second */
	struct event *grace_over;
	bool is_draining, is_past_grace, is_freeing;
	int64_t draining_since_ms;
	void (*drained)(void *);
	void *drained_context;
};

struct http_server *http_server_from(void *context);

/* For evhttp_set_bevcb. */
struct bufferevent *http_connection_open(struct event_base *base, void *server);
/* What could not be done inside evhttp's calls. */
void http_connection_settle(struct http_connection *connection);
void http_connection_enter(struct http_connection *connection, enum http_phase phase,
	int64_t limit_ms);
/* The reply is written: on to the next request, part of which may be here. */
void http_connection_next(struct http_connection *connection);
/* Ends it when its phase has lasted too long. */
void http_connection_expire(struct http_connection *connection, int64_t now_ms,
	int64_t idle_limit_ms);
void http_connection_release(struct http_connection *connection);

/* For evhttp_set_gencb. */
void http_exchange_begin(struct evhttp_request *request, void *server);
/* The connection closes while the handler has the request. */
void http_exchange_abandon(struct http_exchange *exchange);
/* Breaks the connection so that its client sees that something is missing. */
void http_connection_break(struct http_connection *connection);

#endif
