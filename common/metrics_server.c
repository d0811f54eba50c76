/*
 * metrics_server: a small evhttp around metrics_write.
 *
 * The limits below are wide for any scraper and narrow for anybody else: short
 * heads, no bodies, five seconds of silence at most.
 */
#include "metrics_server.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "config.h"
#include "log.h"
#include "shared_page.h"
#include "supervisor.h"

#define HEAD_LIMIT_BYTES 8192
#define SILENCE_LIMIT_S 5
#define ACCEPT_PAUSE_S 1

static void
send_metrics(struct evhttp_request *request, const struct shared_page *page)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct buffer text = BUFFER_INIT;

	metrics_write(page, &text);
	evhttp_add_header(headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	evbuffer_add(evhttp_request_get_output_buffer(request), buffer_text(&text), text.length);
	evhttp_send_reply(request, HTTP_OK, NULL, NULL);
	buffer_free(&text);
}

/* The one callback for every path and method. */
static void
answer(struct evhttp_request *request, void *context)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

	if (method == EVHTTP_REQ_GET && path && strcmp(path, "/metrics") == 0) {
		send_metrics(request, context);
		return;
	}
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/plain");
	/* evhttp would send the body of an answer to HEAD too. */
	if (method != EVHTTP_REQ_HEAD)
		evbuffer_add_printf(evhttp_request_get_output_buffer(request), "only GET /metrics is here\n");
	evhttp_send_reply(request, HTTP_NOTFOUND, NULL, NULL);
}

static void
stop(evutil_socket_t signal_number, short events, void *context)
{
	(void)signal_number, (void)events;
	event_base_loopexit(context, NULL);
}

static void
accept_again(evutil_socket_t fd, short events, void *context)
{
	(void)fd, (void)events;
	evconnlistener_enable(context);
}

/* Without descriptors accept fails at once, again and again, at full speed. */
static void
accept_failed(struct evconnlistener *listener, void *context)
{
	static const struct timeval pause = { ACCEPT_PAUSE_S, 0 };

	(void)context;
	log_warn("could not accept a connection to /metrics", "reason", strerror(errno), NULL);
	evconnlistener_disable(listener);
	event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT, accept_again, listener,
		&pause);
}

static struct evhttp *
http_create(struct event_base *base, const struct endpoint *endpoint,
	const struct shared_page *page)
{
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *bound;

	/* evhttp answers 501 by itself to what is not allowed; here that is 404 too. */
	evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST |
		EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_PATCH | EVHTTP_REQ_OPTIONS);
	evhttp_set_max_headers_size(http, HEAD_LIMIT_BYTES);
	evhttp_set_max_body_size(http, 0);
	evhttp_set_timeout(http, SILENCE_LIMIT_S);
	evhttp_set_gencb(http, answer, (void *)(uintptr_t)page);

	bound = evhttp_bind_socket_with_handle(http, endpoint->host, endpoint->port);
	if (!bound) {
		int reason = errno;

		evhttp_free(http);
		errno = reason;
		return NULL;
	}
	evconnlistener_set_error_cb(evhttp_bound_socket_get_listener(bound), accept_failed);
	return http;
}

void
metrics_server_probe(const struct endpoint *endpoint)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base ? http_create(base, endpoint, NULL) : NULL;

	if (!http)
		die("could not use ROLLCALL_METRICS_LISTEN: could not listen on %s port %u: %s",
			endpoint->host, endpoint->port, strerror(errno));
	evhttp_free(http);
	event_base_free(base);
}

int
metrics_server_run(const struct endpoint *endpoint, const struct shared_page *page)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base ? http_create(base, endpoint, page) : NULL;
	struct event *on_term;

	if (http) {
		on_term = evsignal_new(base, SIGTERM, stop, base);
		event_add(on_term, NULL);
		/* A signal that came before went to the supervisor's handler. */
		if (!supervisor_stopping())
			event_base_dispatch(base);
		event_free(on_term);
		evhttp_free(http);
	} else {
		log_error("could not listen for /metrics", "address", endpoint->host,
			"reason", strerror(errno), NULL);
	}
	if (base)
		event_base_free(base);
	return http ? EXIT_SUCCESS : EXIT_FAILURE;
}
