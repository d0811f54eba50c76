/* dial: names with addresses at which nobody answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* Behind those that it needs. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "dial.h"
#include "memory.h"

#define LIMIT_MS 1000
#define FILLERS 3

/* Of relay.test, in this order; ends with NULL. */
static const char *const *addresses;

static struct addrinfo *
make_address(const char *text, uint16_t port)
{
	struct addrinfo *made = xcalloc(1, sizeof(*made));
	struct sockaddr_in *address = xcalloc(1, sizeof(*address));

	*address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
	assert_int_equal(inet_pton(AF_INET, text, &address->sin_addr), 1);
	*made = (struct addrinfo){ .ai_family = AF_INET, .ai_addr = (struct sockaddr *)address, .ai_addrlen = sizeof(*address) };
	return made;
}

/* In place of libc's, for this program. */
int
getaddrinfo(const char *restrict host, const char *restrict service, const struct addrinfo *restrict hints,
	struct addrinfo **restrict found)
{
	struct addrinfo **last = found;

	(void)hints;
	assert_string_equal(host, "relay.test");
	*found = NULL;
	for (int i = 0; addresses[i] != NULL; i++) {
		*last = make_address(addresses[i], (uint16_t)atoi(service));
		last = &(*last)->ai_next;
	}
	return 0;
}

void
freeaddrinfo(struct addrinfo *found)
{
	while (found != NULL) {
		struct addrinfo *next = found->ai_next;

		free(found->ai_addr);
		free(found);
		found = next;
	}
}

static int
bind_to(const char *text, uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(*port) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* A full backlog drops the handshake: fds[0] listens, the others fill it. */
static void
open_dead(const char *text, uint16_t *port, int fds[1 + FILLERS])
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);

	fds[0] = bind_to(text, port);
	assert_int_equal(listen(fds[0], 0), 0);
	assert_int_equal(getsockname(fds[0], (struct sockaddr *)&address, &size), 0);
	for (int i = 1; i <= FILLERS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
}

static void
close_dead(const int fds[1 + FILLERS])
{
	for (int i = 0; i <= FILLERS; i++)
		close(fds[i]);
}

static void
the_last_of_many_addresses_has_its_time(void **state)
{
	static const char *const many[] = { "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1", NULL };
	int dead[3][1 + FILLERS], live;
	uint16_t port = 0;
	char line[16];

	(void)state;
	live = bind_to("127.0.0.1", &port);
	assert_int_equal(listen(live, 1), 0);
	for (int i = 0; i < 3; i++)
		open_dead(many[i], &port, dead[i]);
	addresses = many;
	struct dial *dial = dial_open("relay.test", port, LIMIT_MS);
	assert_string_equal(dial_fault(dial), "");

	/* And so has what is said there. */
	int peer = accept(live, NULL, NULL);
	assert_int_equal(write(peer, "hello\r\n", 7), 7);
	assert_true(dial_read_line(dial, line, sizeof(line)));
	assert_string_equal(line, "hello");
	close(peer);
	dial_close(&dial);
	for (int i = 0; i < 3; i++)
		close_dead(dead[i]);
	close(live);
}

static void
who_never_answers_is_given_up_in_time(void **state)
{
	static const char *const all[] = { "127.0.0.2", "127.0.0.3", NULL };
	const int64_t began_ms = clock_monotonic_ms();
	int dead[2][1 + FILLERS];
	uint16_t port = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		open_dead(all[i], &port, dead[i]);
	addresses = all;
	struct dial *dial = dial_open("relay.test", port, LIMIT_MS);
	assert_string_equal(dial_fault(dial), "no answer in time");
	assert_true(clock_monotonic_ms() - began_ms < LIMIT_MS);
	dial_close(&dial);
	for (int i = 0; i < 2; i++)
		close_dead(dead[i]);
}

/* Who is not there says so at once, and his time is for the others. */
static void
who_refuses_takes_no_time(void **state)
{
	static const char *const both[] = { "127.0.0.2", "127.0.0.1", NULL };
	uint16_t port = 0;
	int live = bind_to("127.0.0.1", &port);

	(void)state;
	assert_int_equal(listen(live, 1), 0);
	addresses = both;
	struct dial *dial = dial_open("relay.test", port, LIMIT_MS);
	assert_string_equal(dial_fault(dial), "");
	dial_close(&dial);
	close(live);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_of_many_addresses_has_its_time),
		cmocka_unit_test(who_never_answers_is_given_up_in_time),
		cmocka_unit_test(who_refuses_takes_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
