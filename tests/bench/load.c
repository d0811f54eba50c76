/*
 * load: sends ready-made HTTP requests over keep-alive connections, one at a time on
 * each, and tells how fast the answers came.
 *
 *     load [-c CONNECTIONS] [-t SECONDS] [-r RATE] [-1] PORT FILE
 *
 * FILE holds requests as they go over the wire, each behind its length (four bytes,
 * the least first). Without -r the next request follows the answer before it; with -r
 * they are due at that many a second, and the time of an answer counts from when its
 * request was due, sent or not. -1 sends each request once at most. SIGTERM ends it before
 * its time.
 *
 * It makes, formats and allocates nothing while it measures: it runs on the cores of
 * the server that it loads, and prints what it took of them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX (64 * 1024)
#define STATUS_MAX 600
#define SAMPLES_MAX (4 * 1000 * 1000)
/* The answers that are still out when time is up are waited for: whatever is measured
 * next must not find the server at work for us. */
#define DRAIN_NS (10 * (int64_t)1000000000)

struct client {
	int fd;
	bool is_waiting;		/* for an answer */
	int64_t since_ns;		/* when its request was due */
	size_t length;			/* of what has come */
	char answer[ANSWER_MAX];
};

static struct load {
	int connections;
	double seconds, rate;
	bool once;
	const uint8_t *file, *next, *end;
	struct client *clients;
	int epoll;
	int64_t start_ns, deadline_ns, finish_ns;
	long sent, answered;
	long late;			/* answers after time was up: they cost as much as others */
	uint32_t *samples_us;
	long statuses[STATUS_MAX];
} load = { .connections = 32, .seconds = 2 };

static volatile sig_atomic_t must_end;

static void
end_early(int signal_number)
{
	(void)signal_number;
	must_end = 1;
}

static void
fail(const char *what)
{
	fprintf(stderr, "load: could not %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

static void
map_requests(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) < 0 || stat.st_size == 0)
		fail("open the file of requests");
	load.file = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (load.file == MAP_FAILED)
		fail("map the file of requests");
	load.next = load.file;
	load.end = load.file + stat.st_size;
}

static void
open_client(struct client *client, uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	int on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	client->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("connect");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	epoll_ctl(load.epoll, EPOLL_CTL_ADD, client->fd, &event);
}

static bool
has_request(void)
{
	if (load.next == load.end && !load.once)
		load.next = load.file;
	return load.next < load.end && load.sent < SAMPLES_MAX;
}

static void
send_request(struct client *client, int64_t due_ns)
{
	uint32_t length;

	memcpy(&length, load.next, sizeof(length));
	/* A request is far smaller than the socket's buffer, which is empty. */
	if (send(client->fd, load.next + sizeof(length), length, MSG_NOSIGNAL) != (ssize_t)length)
		fail("send a request");
	load.next += sizeof(length) + length;
	client->is_waiting = true;
	client->since_ns = due_ns;
	client->length = 0;
	load.sent++;
}

/* How long the whole answer is; 0: its head is not here yet. */
static size_t
answer_length(const struct client *client, int status)
{
	const char *end = memmem(client->answer, client->length, "\r\n\r\n", 4);
	const char *line = client->answer;
	size_t body = 0;

	if (end == NULL)
		return 0;
	while (status != 204 && line < end) {
		line = (const char *)memchr(line, '\n', (size_t)(end + 2 - line)) + 1;
		if (strncasecmp(line, "Content-Length:", 15) == 0)
			body = strtoul(line + 15, NULL, 10);
	}
	return (size_t)(end - client->answer) + 4 + body;
}

/* True once the answer is complete. */
static bool
take_answer(struct client *client)
{
	ssize_t count = recv(client->fd, client->answer + client->length, ANSWER_MAX - 1 - client->length, 0);
	int64_t now = now_ns();
	int status;
	size_t whole;

	if (count <= 0)
		fail("read an answer");
	client->length += (size_t)count;
	client->answer[client->length] = '\0';
	status = client->length > 12 ? atoi(client->answer + 9) : 0;
	whole = answer_length(client, status);
	if (whole == 0 || client->length < whole)
		return false;
	client->is_waiting = false;
	if (now > load.deadline_ns) {
		load.late++;
		return true;
	}
	load.finish_ns = now;
	load.statuses[status > 0 && status < STATUS_MAX ? status : 0]++;
	load.samples_us[load.answered++] = (uint32_t)((now - client->since_ns) / 1000);
	return true;
}

/* With a rate: sends what is due, as far as somebody is free. When the next one is due,
 * or -1 when all are busy (or nothing is left). */
static int64_t
send_what_is_due(int64_t now)
{
	for (int i = 0; i < load.connections && has_request(); i++) {
		int64_t due = load.start_ns + (int64_t)((double)load.sent * 1e9 / load.rate);

		if (load.clients[i].is_waiting)
			continue;
		if (due > now)
			return due;
		send_request(&load.clients[i], due);
	}
	return -1;
}

static bool
somebody_waits(void)
{
	for (int i = 0; i < load.connections; i++)
		if (load.clients[i].is_waiting)
			return true;
	return false;
}

static void
wait_for_answers(int64_t until_ns)
{
	struct epoll_event events[256];
	int64_t left = until_ns - now_ns();
	struct timespec timeout = { .tv_sec = left > 0 ? left / 1000000000 : 0, .tv_nsec = left > 0 ? left % 1000000000 : 0 };
	int count = epoll_pwait2(load.epoll, events, 256, &timeout, NULL);

	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (take_answer(client) && load.rate <= 0 && now_ns() < load.deadline_ns && has_request())
			send_request(client, now_ns());
	}
}

static void
run(void)
{
	load.start_ns = load.finish_ns = now_ns();
	load.deadline_ns = load.start_ns + (int64_t)(load.seconds * 1e9);
	for (int i = 0; load.rate <= 0 && i < load.connections && has_request(); i++)
		send_request(&load.clients[i], load.start_ns);
	while (!must_end && now_ns() < load.deadline_ns && (somebody_waits() || has_request())) {
		int64_t due = load.rate > 0 ? send_what_is_due(now_ns()) : -1;

		wait_for_answers(due > 0 && due < load.deadline_ns ? due : load.deadline_ns);
	}
	if (must_end)
		load.deadline_ns = now_ns();
	if (has_request())
		load.finish_ns = load.deadline_ns;
	while (somebody_waits() && now_ns() < load.deadline_ns + DRAIN_NS)
		wait_for_answers(load.deadline_ns + DRAIN_NS);
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void
report(void)
{
	struct rusage used;
	bool is_first = true;
	double cpu_s;

	getrusage(RUSAGE_SELF, &used);
	cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
		+ (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	qsort(load.samples_us, (size_t)load.answered, sizeof(*load.samples_us), compare);
	printf("{\"answered\": %ld, \"late\": %ld, \"seconds\": %.6f, \"cpu_s\": %.6f, \"p50_us\": %u, \"p99_us\": %u, \"statuses\": {",
		load.answered, load.late, (double)(load.finish_ns - load.start_ns) / 1e9, cpu_s,
		load.answered > 0 ? load.samples_us[load.answered / 2] : 0,
		load.answered > 0 ? load.samples_us[load.answered * 99 / 100] : 0);
	for (int i = 0; i < STATUS_MAX; i++) {
		if (load.statuses[i] == 0)
			continue;
		printf("%s\"%d\": %ld", is_first ? "" : ", ", i, load.statuses[i]);
		is_first = false;
	}
	printf("}}\n");
}

int
main(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "c:t:r:1")) != -1) {
		switch (option) {
		case 'c': load.connections = atoi(optarg); break;
		case 't': load.seconds = atof(optarg); break;
		case 'r': load.rate = atof(optarg); break;
		case '1': load.once = true; break;
		default: return 2;
		}
	}
	if (argc - optind != 2 || load.connections < 1)
		return 2;
	map_requests(argv[optind + 1]);
	signal(SIGTERM, end_early);
	load.epoll = epoll_create1(0);
	load.clients = calloc((size_t)load.connections, sizeof(*load.clients));
	load.samples_us = malloc(SAMPLES_MAX * sizeof(*load.samples_us));
	if (load.clients == NULL || load.samples_us == NULL)
		fail("take memory");
	for (int i = 0; i < load.connections; i++)
		open_client(&load.clients[i], (uint16_t)atoi(argv[optind]));
	run();
	report();
	return 0;
}
