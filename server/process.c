/*
 * One server process, from its event base to its clean end.
 *
 * SIGTERM: the listener closes, what is in flight is answered, then everything is
 * freed. What still waits at the deadline is answered 503, and the exit code is 1, which
 * the supervisor passes on.
 */
#include "process.h"

#include <event2/event.h>
#include <event2/thread.h>
#include <signal.h>

#include "clock.h"
#include "config.h"
#include "hasher.h"
#include "http.h"
#include "lane.h"
#include "log.h"
#include "request.h"
#include "supervisor.h"

/* For the answers at the deadline to leave. */
#define FLUSH_S 1

struct process {
	struct server server;
	struct event *term, *deadline;
	bool is_draining;
	bool is_late;
	bool is_drained;
};

static void
drained(void *context)
{
	struct process *process = context;

	process->is_drained = true;
	event_base_loopexit(process->server.base, NULL);
}

static void
too_late(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;

	(void)fd;
	(void)what;
	log_error("could not finish all requests before the deadline", NULL);
	process->is_late = true;
	event_base_loopexit(process->server.base, NULL);
}

static void
stop(evutil_socket_t fd, short what, void *context)
{
	struct process *process = context;
	const struct timeval limit = { DRAIN_DEADLINE_S, 0 };

	(void)fd;
	(void)what;
	if (process->is_draining)
		return;
	process->is_draining = true;
	evtimer_add(process->deadline, &limit);
	http_server_drain(process->server.http, drained, process);
}

/* Whoever waits for a job or a hash gets 503, and some time to receive it. */
static void
abandon(struct process *process)
{
	struct server *server = &process->server;

	http_server_refuse(server->http);
	lanes_free(&server->lanes);
	hasher_free(&server->hasher);
	if (process->is_drained)
		return;
	event_base_loopexit(server->base, &(const struct timeval){ FLUSH_S, 0 });
	event_base_dispatch(server->base);
}

static void
event_said(int severity, const char *message)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("event loop", "reason", message, NULL);
}

int
process_run(const struct config *config, struct shared_page *page, int child)
{
	struct process process = { 0 };
	struct server *server = &process.server;

	signal(SIGPIPE, SIG_IGN);
	event_set_log_callback(event_said);
	evthread_use_pthreads();
	server->base = event_base_new();
	if (server->base == NULL)
		die("could not make an event loop");
	server->config = config;
	server->page = page;
	server->child = child;
	process.term = evsignal_new(server->base, SIGTERM, stop, &process);
	process.deadline = evtimer_new(server->base, too_late, &process);
	evsignal_add(process.term, NULL);
	server->lanes = lanes_create(server->base, config, page, child);
	server->hasher = hasher_create(server->base, config, page, child);
	server->http = http_server_create(server->base, config, page, child, request_start, request_client_gone,
		server);
	/* The signal may have come before its handler was there. */
	if (supervisor_stopping())
		stop(-1, 0, &process);
	event_base_dispatch(server->base);

	abandon(&process);
	http_server_free(&server->http);
	event_free(process.term);
	event_free(process.deadline);
	event_base_free(server->base);
	libevent_global_shutdown();
	return process.is_late ? 1 : 0;
}
