/*
 * http_listener: the listening sockets of one process.
 *
 * Every process binds for itself (SO_REUSEPORT) and the kernel spreads the
 * connections. Accepting pauses while descriptors are short or the server is
 * full, and stops for good without losing a connection that the kernel has
 * already queued for us.
 */
#ifndef ROLLCALL_HTTP_LISTENER_H
#define ROLLCALL_HTTP_LISTENER_H

#include <stdbool.h>

struct endpoint;
struct evhttp;
struct event_base;
struct http_listener;

/* Dies when somebody else listens there already. Without this a second server of the
 * same user would share the port with the first in silence. */
void http_listener_probe(const struct endpoint *endpoint);
/* Accepts for `http` at every address of the endpoint's host; dies when it cannot. */
struct http_listener *http_listener_create(struct event_base *base, struct evhttp *http,
	const struct endpoint *endpoint);
/* While false, connections wait in the kernel's queue. A failed accept pauses by
 * itself until the next call with true: call it once a second. */
void http_listener_set_accepting(struct http_listener *listener, bool is_accepting);
/* From now on the kernel queues no new connection; those that it has queued are
 * still accepted, until http_listener_free some round trips later. */
void http_listener_wind_down(struct http_listener *listener);
/* Closes the sockets. Before evhttp_free. Takes NULL; nulls the pointer. */
void http_listener_free(struct http_listener **listener);

#endif
