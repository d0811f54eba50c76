/*
 * http: the server around its connections: start, drain, stop.
 *
 * evhttp's own answers (a head that cannot be parsed or is too long: 400, a body
 * too long: 413, an unknown Expect: 417, an unknown method: 501) come before any
 * handler and stay HTML; they close the connection. Everything else that is wrong
 * with a request is the guard's.
 */
#include "http.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "config.h"
#include "http_listener.h"
#include "http_priv.h"
#include "log.h"
#include "memory.h"
#include "shared_page.h"

#define SERVER_MAGIC 0x48535256u

/* A stalled connection may hold HTTP_BODY_MAX; nobody needs more of them in one
 * process, and the kernel's queue keeps who comes beyond. */
#define CONNECTIONS_MAX 4096
/* Of the process's descriptors, for the database, logs and the loop itself. */
#define RESERVED_DESCRIPTORS 64
/* Longer than nginx keeps its connections to us (60 s), so that it closes first: a
 * request that crosses our close on the wire would be lost. */
#define IDLE_LIMIT_MS 75000
/* The same while the server is full: then someone else is waiting for the place. */
#define CROWDED_IDLE_LIMIT_MS 5000
/* A drain goes on accepting and waiting for first bytes for so long: the handshakes
 * and requests that were on the wire when it began. Some round trips. */
#define GRACE_MS 250

struct http_server *
http_server_from(void *context)
{
	struct http_server *server = context;

	assert(server != NULL && server->magic == SERVER_MAGIC);
	return server;
}

/* As many as the process may have descriptors for, and it takes all that it may: what a
 * shell or a service manager gives at first is meant for programs that know select(). */
static int
most_connections(void)
{
	struct rlimit limit;
	rlim_t most = CONNECTIONS_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return (int)most;
	if (limit.rlim_cur < most + RESERVED_DESCRIPTORS && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < most + RESERVED_DESCRIPTORS
			? limit.rlim_max : most + RESERVED_DESCRIPTORS;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			log_warn("could not raise the limit of descriptors", "reason", strerror(errno), NULL);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < most + RESERVED_DESCRIPTORS)
		most = limit.rlim_cur > 2 * RESERVED_DESCRIPTORS
			? limit.rlim_cur - RESERVED_DESCRIPTORS : limit.rlim_cur / 2;
	return (int)most;
}

static int64_t
idle_limit_ms(const struct http_server *server)
{
	if (server->is_past_grace)
		return 0;
	return server->connection_count < server->connections_max
		? IDLE_LIMIT_MS : CROWDED_IDLE_LIMIT_MS;
}

static void
expire_connections(struct http_server *server)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t idle_ms = idle_limit_ms(server);	/* one for all: ending some makes room */
	struct http_connection *connection = LIST_FIRST(&server->settled);

	while (connection != NULL) {
		struct http_connection *next = LIST_NEXT(connection, link);

		http_connection_expire(connection, now_ms, idle_ms);
		connection = next;
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *context)
{
	struct http_server *server = http_server_from(context);

	(void)fd;
	(void)what;
	expire_connections(server);
	if (server->listener != NULL)
		http_listener_set_accepting(server->listener,
			server->connection_count < server->connections_max);
}

static void
settle_connections(struct http_server *server)
{
	struct http_connection *connection;

	while ((connection = LIST_FIRST(&server->unsettled)) != NULL)
		http_connection_settle(connection);
}

static void
on_turn(evutil_socket_t fd, short what, void *context)
{
	struct http_server *server = http_server_from(context);
	void (*drained)(void *) = server->drained;

	(void)fd;
	(void)what;
	settle_connections(server);
	if (drained != NULL && server->is_past_grace && server->connection_count == 0) {
		server->drained = NULL;
		drained(server->drained_context);	/* which may free the server */
	}
}

static void
on_grace_over(evutil_socket_t fd, short what, void *context)
{
	struct http_server *server = http_server_from(context);

	(void)fd;
	(void)what;
	http_listener_free(&server->listener);
	server->is_past_grace = true;
	expire_connections(server);
	event_active(server->turn, EV_TIMEOUT, 0);
}

static struct evhttp *
create_evhttp(struct http_server *server)
{
	/* CONNECT is refused by the guard: after evhttp's own refusal the connection
	 * would stay open. */
	const ev_uint16_t allowed = EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
		EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		EVHTTP_REQ_CONNECT;
	struct evhttp *evhttp = evhttp_new(server->base);

	if (evhttp == NULL)
		die("could not create the http server");
	evhttp_set_max_headers_size(evhttp, HTTP_HEADERS_MAX);
	evhttp_set_max_body_size(evhttp, HTTP_BODY_MAX);
	evhttp_set_default_content_type(evhttp, NULL);
	evhttp_set_allowed_methods(evhttp, allowed);
	evhttp_set_bevcb(evhttp, http_connection_open, server);
	/* The only callback: evhttp compares paths up to their first NUL. */
	evhttp_set_gencb(evhttp, http_exchange_begin, server);
	return evhttp;
}

struct http_server *
http_server_create(struct event_base *base, const struct config *config,
	struct shared_page *page, int child, http_handler *handler, http_gone *gone, void *context)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	/* A client that closes while it is written to must not end the process. */
	signal(SIGPIPE, SIG_IGN);

	server->magic = SERVER_MAGIC;
	server->base = base;
	server->page = page;
	server->child = child;
	server->handler = handler;
	server->gone = gone;
	server->context = context;
	server->connections_max = most_connections();
	metric_child_add(page, METRIC_HTTP_CONNECTIONS_LIMIT, 0, child, server->connections_max);
	LIST_INIT(&server->unsettled);
	LIST_INIT(&server->settled);
	server->turn = event_new(base, -1, 0, on_turn, server);
	server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
	server->grace_over = evtimer_new(base, on_grace_over, server);
	if (server->turn == NULL || server->tick == NULL || server->grace_over == NULL)
		abort();
	event_add(server->tick, &(struct timeval){ .tv_sec = 1 });
	server->evhttp = create_evhttp(server);
	server->listener = http_listener_create(base, server->evhttp, &config->listen);
	return server;
}

void
http_server_drain(struct http_server *server, void (*drained)(void *), void *context)
{
	assert(!server->is_draining);
	server->is_draining = true;
	server->draining_since_ms = clock_monotonic_ms();
	server->drained = drained;
	server->drained_context = context;
	http_listener_wind_down(server->listener);
	event_add(server->grace_over, &(struct timeval){ .tv_usec = GRACE_MS * 1000 });
}

bool
http_server_is_draining(const struct http_server *server)
{
	return server->is_draining;
}

void
http_server_refuse(struct http_server *server)
{
	server->handler = NULL;
}

void
http_server_free(struct http_server **server_p)
{
	struct http_server *server = *server_p;

	if (server == NULL)
		return;
	*server_p = NULL;
	server->is_freeing = true;
	http_listener_free(&server->listener);
	settle_connections(server);
	evhttp_free(server->evhttp);	/* reports every connection that it still had */
	while (!LIST_EMPTY(&server->settled))
		http_connection_release(LIST_FIRST(&server->settled));
	event_free(server->turn);
	event_free(server->tick);
	event_free(server->grace_over);
	free(server->by_fd);
	server->magic = 0;
	free(server);
}
