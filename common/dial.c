/*
 * A non-blocking socket, and poll between: so that nothing outlasts the deadline.
 */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

/* As long as the mailer waits for one (worker/mailer_priv.h): whoever is slower is not there for it. */
#define CONNECT_MS 5000

struct dial {
	char host[256];
	int fd;
	int64_t deadline_ms;
	SSL_CTX *context;
	SSL *tls;
	char fault[256];
	char input[4096];
	size_t begin, end;
};

static bool __attribute__((format(printf, 2, 3)))
fail(struct dial *dial, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(dial->fault, sizeof(dial->fault), format, arguments);
	va_end(arguments);
	return false;
}

static bool
await_until(struct dial *dial, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = { .fd = dial->fd, .events = events };

	for (;;) {
		const int64_t left_ms = deadline_ms - clock_monotonic_ms();
		const int ready = left_ms > 0 ? poll(&poll_fd, 1, (int)left_ms) : 0;

		if (ready > 0)
			return true;
		if (ready == 0)
			return fail(dial, "no answer in time");
		if (errno != EINTR)
			return fail(dial, "%s", strerror(errno));
	}
}

/* Waits until the socket is ready for `events`. */
static bool
await(struct dial *dial, short events)
{
	return await_until(dial, events, dial->deadline_ms);
}

/* A name may have addresses that nobody answers at. Each of those that are left gets as much of
 * what time is left, and as much is kept for what is to be said once one of them answers. */
static int64_t
connect_deadline_ms(const struct dial *dial, const struct addrinfo *address)
{
	const int64_t now_ms = clock_monotonic_ms();
	int shares = 1;

	for (; address != NULL; address = address->ai_next)
		shares++;
	const int64_t share_ms = (dial->deadline_ms - now_ms) / shares;
	return now_ms + (share_ms < CONNECT_MS ? share_ms : CONNECT_MS);
}

static bool
connect_to(struct dial *dial, const struct addrinfo *address)
{
	const int64_t deadline_ms = connect_deadline_ms(dial, address);
	int error = 0;
	socklen_t length = sizeof(error);

	dial->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return fail(dial, "%s", strerror(errno));
	if (connect(dial->fd, address->ai_addr, address->ai_addrlen) != 0) {
		if (errno != EINPROGRESS)
			return fail(dial, "%s", strerror(errno));
		if (!await_until(dial, POLLOUT, deadline_ms))
			return false;
		if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error != 0)
			return fail(dial, "%s", strerror(error));
	}
	dial->fault[0] = '\0';
	return true;
}

struct dial *
dial_open(const char *host, uint16_t port, int limit_ms)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct dial *dial = xcalloc(1, sizeof(*dial));
	struct addrinfo *addresses = NULL;
	char service[8];
	int error;

	snprintf(dial->host, sizeof(dial->host), "%s", host);
	snprintf(service, sizeof(service), "%u", port);
	dial->fd = -1;
	dial->deadline_ms = clock_monotonic_ms() + limit_ms;
	error = getaddrinfo(host, service, &hints, &addresses);
	if (error != 0)
		fail(dial, "the name is not known: %s", gai_strerror(error));
	for (const struct addrinfo *address = addresses; error == 0 && address != NULL; address = address->ai_next) {
		if (connect_to(dial, address))
			break;
		if (dial->fd >= 0)
			close(dial->fd);
		dial->fd = -1;
	}
	if (addresses != NULL)
		freeaddrinfo(addresses);
	return dial;
}

void
dial_close(struct dial **dial)
{
	if (*dial == NULL)
		return;
	SSL_free((*dial)->tls);
	SSL_CTX_free((*dial)->context);
	if ((*dial)->fd >= 0)
		close((*dial)->fd);
	free(*dial);
	*dial = NULL;
}

const char *
dial_fault(const struct dial *dial)
{
	return dial->fault;
}

const char *
dial_tls_version(const struct dial *dial)
{
	return dial->tls != NULL ? SSL_get_version(dial->tls) : NULL;
}

/* What OpenSSL asks for: true to try again. */
static bool
await_tls(struct dial *dial, int returned)
{
	switch (SSL_get_error(dial->tls, returned)) {
	case SSL_ERROR_WANT_READ:
		return await(dial, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return await(dial, POLLOUT);
	case SSL_ERROR_ZERO_RETURN:
		return fail(dial, "the connection was closed");
	default: {
		const long verdict = SSL_get_verify_result(dial->tls);
		const char *reason = ERR_reason_error_string(ERR_get_error());

		if (verdict != X509_V_OK)
			return fail(dial, "the certificate is refused: %s", X509_verify_cert_error_string(verdict));
		return fail(dial, "%s", reason != NULL ? reason : "the connection was closed");
	}
	}
}

static bool
expect_name(struct dial *dial)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(dial->tls);
	unsigned char binary[16];

	X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (inet_pton(AF_INET, dial->host, binary) == 1 || inet_pton(AF_INET6, dial->host, binary) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(expected, dial->host) == 1;
	return X509_VERIFY_PARAM_set1_host(expected, dial->host, 0) == 1 &&
		SSL_set_tlsext_host_name(dial->tls, dial->host) == 1;
}

bool
dial_start_tls(struct dial *dial, const char *ca_file, int newest)
{
	int returned;

	/* What came in clear text behind the permission to begin is not the relay's. */
	if (dial->begin < dial->end)
		return fail(dial, "something was sent before TLS began");
	ERR_clear_error();
	dial->context = SSL_CTX_new(TLS_client_method());
	if (dial->context == NULL)
		return fail(dial, "TLS is not to be had");
	SSL_CTX_set_min_proto_version(dial->context, TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(dial->context, newest);
	SSL_CTX_set_verify(dial->context, SSL_VERIFY_PEER, NULL);
	if (ca_file != NULL ? SSL_CTX_load_verify_file(dial->context, ca_file) != 1
			    : SSL_CTX_set_default_verify_paths(dial->context) != 1)
		return fail(dial, "the CA certificates cannot be read");
	dial->tls = SSL_new(dial->context);
	if (dial->tls == NULL || SSL_set_fd(dial->tls, dial->fd) != 1 || !expect_name(dial))
		return fail(dial, "TLS is not to be had");
	while ((returned = SSL_connect(dial->tls)) != 1)
		if (!await_tls(dial, returned))
			return false;
	return true;
}

bool
dial_write(struct dial *dial, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		ssize_t count = dial->tls != NULL ? SSL_write(dial->tls, text, (int)left)
						  : send(dial->fd, text, left, MSG_NOSIGNAL);

		if (count > 0) {
			text += count;
			left -= (size_t)count;
		} else if (dial->tls != NULL) {
			if (!await_tls(dial, (int)count))
				return false;
		} else if (errno != EAGAIN) {
			return fail(dial, "%s", strerror(errno));
		} else if (!await(dial, POLLOUT)) {
			return false;
		}
	}
	return true;
}

static bool
fill(struct dial *dial)
{
	for (;;) {
		ssize_t count = dial->tls != NULL ? SSL_read(dial->tls, dial->input, sizeof(dial->input))
						  : recv(dial->fd, dial->input, sizeof(dial->input), 0);

		if (count > 0) {
			dial->begin = 0;
			dial->end = (size_t)count;
			return true;
		}
		if (dial->tls != NULL) {
			if (!await_tls(dial, (int)count))
				return false;
		} else if (count == 0) {
			return fail(dial, "the connection was closed");
		} else if (errno != EAGAIN) {
			return fail(dial, "%s", strerror(errno));
		} else if (!await(dial, POLLIN)) {
			return false;
		}
	}
}

bool
dial_read_line(struct dial *dial, char *line, size_t size)
{
	size_t length = 0;
	char c;

	for (;;) {
		if (dial->begin == dial->end && !fill(dial)) {
			line[length] = '\0';
			return length > 0;
		}
		c = dial->input[dial->begin++];
		if (c == '\n')
			break;
		if (length + 1 < size)
			line[length++] = c;
	}
	if (length > 0 && line[length - 1] == '\r')
		length--;
	line[length] = '\0';
	return true;
}
