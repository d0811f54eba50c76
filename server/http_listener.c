/*
 * http_listener: see the header. Bound sockets belong to evhttp; here is when they
 * accept.
 *
 * Always true: a socket whose accept failed does not try again by itself. libevent
 * alone would, at once and for ever, with a log line each: out of descriptors the
 * queue stays readable.
 */
#include "http_listener.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "config.h"
#include "log.h"
#include "memory.h"

/* "localhost" has two addresses; a name with more is not one to listen on. */
#define SOCKETS_MAX 4
/* What may wait during one turn of the loop; the kernel cuts it to somaxconn. */
#define BACKLOG 1024

struct http_listener {
	struct evhttp *http;
	struct evhttp_bound_socket *sockets[SOCKETS_MAX];
	int socket_count;
};

/* EMFILE, ENFILE, ENOBUFS: none of them is better at once. The context of this
 * callback is evhttp's own, so resuming is left to http_listener_set_accepting. */
static void
on_accept_error(struct evconnlistener *accepting, void *context)
{
	(void)context;
	log_error("could not accept connections, resting", "reason",
		strerror(EVUTIL_SOCKET_ERROR()), NULL);
	evconnlistener_disable(accepting);
}

static void
bind_address(struct event_base *base, struct http_listener *listener,
	const struct endpoint *endpoint, const struct addrinfo *address)
{
	const unsigned flags = LEV_OPT_REUSEABLE | LEV_OPT_REUSEABLE_PORT |
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC;
	struct evconnlistener *accepting;
	struct evhttp_bound_socket *bound = NULL;

	accepting = evconnlistener_new_bind(base, NULL, NULL, flags, BACKLOG, address->ai_addr,
		(int)address->ai_addrlen);
	if (accepting != NULL)
		bound = evhttp_bind_listener(listener->http, accepting);
	if (bound == NULL)
		die("could not listen on %s port %u: %s", endpoint->host, endpoint->port,
			strerror(errno));

	/* Accepted sockets inherit it. A reply leaves in one piece: waiting for the
	 * client's acknowledgement would only delay its tail. */
	if (setsockopt(evconnlistener_get_fd(accepting), IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
			sizeof(int)) != 0)
		log_warn("could not set TCP_NODELAY", "reason", strerror(errno), NULL);
	evconnlistener_set_error_cb(accepting, on_accept_error);
	listener->sockets[listener->socket_count++] = bound;
}

static struct addrinfo *
find_addresses(const struct endpoint *endpoint)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *addresses = NULL;
	char port[8];
	int failure;

	snprintf(port, sizeof(port), "%u", endpoint->port);
	failure = getaddrinfo(endpoint->host, port, &hints, &addresses);
	if (failure != 0)
		die("could not use ROLLCALL_LISTEN: could not find %s: %s", endpoint->host,
			gai_strerror(failure));
	return addresses;
}

void
http_listener_probe(const struct endpoint *endpoint)
{
	struct addrinfo *addresses = find_addresses(endpoint);
	const int on = 1;

	for (const struct addrinfo *at = addresses; at != NULL; at = at->ai_next) {
		int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, 0);

		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (at->ai_family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (bind(fd, at->ai_addr, at->ai_addrlen) != 0)
			die("could not use ROLLCALL_LISTEN: could not listen on %s port %u: %s", endpoint->host, endpoint->port,
				strerror(errno));
		close(fd);
	}
	freeaddrinfo(addresses);
}

struct http_listener *
http_listener_create(struct event_base *base, struct evhttp *http, const struct endpoint *endpoint)
{
	struct http_listener *listener = xcalloc(1, sizeof(*listener));
	struct addrinfo *addresses = find_addresses(endpoint);

	listener->http = http;
	for (const struct addrinfo *at = addresses;
		at != NULL && listener->socket_count < SOCKETS_MAX; at = at->ai_next)
		bind_address(base, listener, endpoint, at);
	freeaddrinfo(addresses);
	return listener;
}

void
http_listener_set_accepting(struct http_listener *listener, bool is_accepting)
{
	for (int i = 0; i < listener->socket_count; i++) {
		struct evconnlistener *accepting =
			evhttp_bound_socket_get_listener(listener->sockets[i]);

		if (is_accepting)
			evconnlistener_enable(accepting);
		else
			evconnlistener_disable(accepting);
	}
}

/* Closing a listening socket resets what is still in its queue, and with
 * SO_REUSEPORT the kernel goes on queueing until the very moment. A filter that
 * drops SYN stops that: handshakes under way complete, and whoever's SYN was
 * dropped sends it again after a second, to another process or to nobody. */
void
http_listener_wind_down(struct http_listener *listener)
{
	enum { TCP_FLAGS_OFFSET = 13, TCP_FLAG_SYN = 0x02 };
	struct sock_filter drop_syn[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};
	const struct sock_fprog program = { sizeof(drop_syn) / sizeof(drop_syn[0]), drop_syn };

	for (int i = 0; i < listener->socket_count; i++) {
		int fd = evhttp_bound_socket_get_fd(listener->sockets[i]);

		if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
			log_warn("could not stop the listening queue: "
				"connections that come just now may be reset",
				"reason", strerror(errno), NULL);
	}
	http_listener_set_accepting(listener, true);
}

void
http_listener_free(struct http_listener **listener)
{
	if (*listener == NULL)
		return;
	for (int i = 0; i < (*listener)->socket_count; i++)
		evhttp_del_accept_socket((*listener)->http, (*listener)->sockets[i]);
	free(*listener);
	*listener = NULL;
}
