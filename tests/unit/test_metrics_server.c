/* metrics_server: a real process on a real port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "metrics_server.h"
#include "shared_page.h"

static struct endpoint endpoint = { .host = "127.0.0.1" };
static pid_t server;

static struct sockaddr_in
address_of(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static uint16_t
free_port(void)
{
	struct sockaddr_in address = address_of(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	close(fd);
	return ntohs(address.sin_port);
}

/* Connected to the server, which may still be starting. */
static int
open_connection(void)
{
	struct sockaddr_in address = address_of(endpoint.port);

	for (int tries = 0; tries < 500; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		close(fd);
		poll(NULL, 0, 10);
	}
	fail_msg("nobody listens");
	return -1;
}

/* Sends the request as it is and reads until the server closes. */
static void
ask(const char *request, char *answer, size_t size)
{
	int fd = open_connection();
	size_t length = 0;
	ssize_t count;

	assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	while (length + 1 < size && (count = read(fd, answer + length, size - length - 1)) > 0)
		length += (size_t)count;
	answer[length] = '\0';
	close(fd);
}

static int
start_server(void **state)
{
	static const char *const routes[] = { "GET /v1/me" };
	struct shared_page *page = shared_page_create(routes, 1);

	(void)state;
	metric_add(page, METRIC_PASSWORD_CHECKS, 42);
	endpoint.port = free_port();
	server = fork();
	if (server == 0)
		exit(metrics_server_run(&endpoint, page));
	return server < 0;
}

static int
stop_server(void **state)
{
	int status = -1;

	(void)state;
	kill(server, SIGTERM);
	waitpid(server, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
metrics_are_answered_in_the_text_format(void **state)
{
	char answer[16384];

	(void)state;
	ask("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", answer, sizeof(answer));
	assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	assert_non_null(strstr(answer, "\nrollcall_password_checks_total 42\n"));
	ask("GET /metrics?x=1 HTTP/1.0\r\n\r\n", answer, sizeof(answer));
	assert_non_null(strstr(answer, " 200 OK\r\n"));
}

static void
everything_else_is_not_found(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.0\r\n\r\n", "GET /metrics/ HTTP/1.0\r\n\r\n", "GET /metrics%00 HTTP/1.0\r\n\r\n",
		"POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", "DELETE /metrics HTTP/1.0\r\n\r\n",
		"PATCH /metrics HTTP/1.0\r\n\r\n", "HEAD /metrics HTTP/1.0\r\n\r\n",
	};
	char answer[4096];

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		ask(requests[i], answer, sizeof(answer));
		if (!strstr(answer, " 404 ") || strstr(answer, "rollcall_"))
			fail_msg("%s was answered %s", requests[i], answer);
	}
}

static void
bodies_and_long_heads_are_refused(void **state)
{
	char request[12000] = "GET /metrics HTTP/1.0\r\nX: ", answer[4096];
	size_t length = strlen(request);

	(void)state;
	memset(request + length, 'x', sizeof(request) - length - 5);
	memcpy(request + sizeof(request) - 5, "\r\n\r\n", 5);
	ask(request, answer, sizeof(answer));
	assert_null(strstr(answer, " 200 "));
	ask("POST /metrics HTTP/1.0\r\nContent-Length: 9\r\n\r\n123456789", answer, sizeof(answer));
	assert_null(strstr(answer, " 200 "));
}

static void
an_address_in_use_is_a_failure_and_no_crash(void **state)
{
	char answer[16384];
	int status;
	pid_t second;

	(void)state;
	ask("GET /metrics HTTP/1.0\r\n\r\n", answer, sizeof(answer));
	second = fork();
	if (second == 0)
		exit(metrics_server_run(&endpoint, NULL));
	assert_int_equal(waitpid(second, &status, 0), second);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static void
sigterm_ends_it_although_a_client_is_connected(void **state)
{
	char answer[16384];
	int fd;

	ask("GET /metrics HTTP/1.0\r\n\r\n", answer, sizeof(answer));
	fd = open_connection();
	assert_int_equal(stop_server(state), 0);
	close(fd);
	assert_int_equal(start_server(state), 0);
	/* Its handler is in place once it answers. */
	ask("GET / HTTP/1.0\r\n\r\n", answer, sizeof(answer));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(metrics_are_answered_in_the_text_format),
		cmocka_unit_test(everything_else_is_not_found),
		cmocka_unit_test(bodies_and_long_heads_are_refused),
		cmocka_unit_test(an_address_in_use_is_a_failure_and_no_crash),
		cmocka_unit_test(sigterm_ends_it_although_a_client_is_connected),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
