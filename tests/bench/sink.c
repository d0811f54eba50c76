/*
 * sink: an SMTP relay that takes every mail and keeps none, as fast as it can.
 *
 *     sink PORT
 *
 * For each mail a line on standard output: when its last byte was here (nanoseconds of
 * the monotonic clock), how many bytes it had, and its first recipient. Lines are
 * written when the connections have been quiet for a moment, or a block is full.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX 64
#define INPUT_MAX (256 * 1024)
#define QUIET_MS 20

struct client {
	int fd;
	bool in_data;
	size_t mail_bytes;
	char recipient[256];
	size_t length;
	char input[INPUT_MAX];
	size_t reply_length;
	char reply[8192];	/* to all commands of one read: clients pipeline */
};

static struct client *clients[CLIENTS_MAX];
static int client_count;

static void
flush_reply(struct client *client)
{
	if (client->reply_length > 0)
		(void)!send(client->fd, client->reply, client->reply_length, MSG_NOSIGNAL);
	client->reply_length = 0;
}

static void
reply(struct client *client, const char *text)
{
	size_t length = strlen(text);

	if (client->reply_length + length > sizeof(client->reply))
		flush_reply(client);
	memcpy(client->reply + client->reply_length, text, length);
	client->reply_length += length;
}

static void
take_recipient(struct client *client, const char *line)
{
	const char *start = strchr(line, '<');

	if (client->recipient[0] == '\0' && start != NULL)
		snprintf(client->recipient, sizeof(client->recipient), "%.*s", (int)strcspn(start + 1, ">\r"), start + 1);
	reply(client, "250 ok\r\n");
}

static void
take_command(struct client *client, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0) {
		reply(client, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10485760\r\n");
	} else if (strncasecmp(line, "RCPT", 4) == 0) {
		take_recipient(client, line);
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		client->in_data = true;
		client->mail_bytes = 0;
		reply(client, "354 go on\r\n");
	} else {
		reply(client, strncasecmp(line, "QUIT", 4) == 0 ? "221 bye\r\n" : "250 ok\r\n");
	}
}

static void
take_mail(struct client *client)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	printf("%lld %zu %s\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec, client->mail_bytes, client->recipient);
	client->in_data = false;
	client->recipient[0] = '\0';
	reply(client, "250 taken\r\n");
}

/* Takes one line, or the text of a mail as far as it is here. False: more must come. */
static bool
take_part(struct client *client, char **at, const char *end)
{
	size_t left = (size_t)(end - *at);
	char *stop;

	if (!client->in_data) {
		stop = memchr(*at, '\n', left);
		if (stop == NULL)
			return false;
		*stop = '\0';
		take_command(client, *at);
		*at = stop + 1;
		return true;
	}
	stop = memmem(*at, left, "\r\n.\r\n", 5);
	if (stop == NULL) {
		/* All but what may be the beginning of the end. */
		size_t taken = left > 4 ? left - 4 : 0;

		client->mail_bytes += taken;
		*at += taken;
		return false;
	}
	client->mail_bytes += (size_t)(stop - *at) + 2;
	*at = stop + 5;
	take_mail(client);
	return true;
}

/* False: the client has gone. */
static bool
take_input(struct client *client)
{
	ssize_t count = recv(client->fd, client->input + client->length, INPUT_MAX - client->length, 0);
	char *at = client->input, *end;

	if (count <= 0)
		return false;
	end = at + client->length + (size_t)count;
	while (at < end && take_part(client, &at, end))
		;
	client->length = (size_t)(end - at);
	memmove(client->input, at, client->length);
	flush_reply(client);
	return true;
}

static void
accept_client(int listener)
{
	struct client *client = calloc(1, sizeof(*client));
	int on = 1;

	if (client == NULL || client_count == CLIENTS_MAX)
		abort();
	client->fd = accept(listener, NULL, NULL);
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	clients[client_count++] = client;
	reply(client, "220 sink\r\n");
	flush_reply(client);
}

static void
drop_client(int at)
{
	close(clients[at]->fd);
	free(clients[at]);
	clients[at] = clients[--client_count];
}

static void
serve(int listener)
{
	for (;;) {
		struct pollfd fds[CLIENTS_MAX + 1] = { { .fd = listener, .events = POLLIN } };
		const int known = client_count;

		for (int i = 0; i < known; i++)
			fds[i + 1] = (struct pollfd){ .fd = clients[i]->fd, .events = POLLIN };
		if (poll(fds, (nfds_t)known + 1, QUIET_MS) == 0)
			fflush(stdout);
		/* From the last: a dropped one is replaced by one that was looked at. */
		for (int i = known - 1; i >= 0; i--)
			if (fds[i + 1].revents != 0 && !take_input(clients[i]))
				drop_client(i);
		if (fds[0].revents != 0)
			accept_client(listener);
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (argc != 2)
		return 2;
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 64) < 0) {
		perror("sink: could not listen");
		return 1;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 20);
	serve(listener);
}
