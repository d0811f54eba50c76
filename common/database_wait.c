/*
 * database: being told, and waiting for it.
 *
 * A notification is only a nudge to look: what it tells of stands in a table. So one that is
 * lost costs a poll, and a connection that was lost counts as a notification.
 */
#include "database_priv.h"

#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "clock.h"
#include "log.h"
#include "memory.h"
#include "supervisor.h"

/* How long database_wait stays away from a database that cannot be reached. */
#define RECONNECT_PAUSE_MS 1000

/* LISTEN and NOTIFY: utility commands, which take no parameters. */
static bool
run_command(struct database *database, const char *command, const char *channel)
{
	struct buffer sql = BUFFER_INIT;
	char *name = PQescapeIdentifier(database->connection, channel, strlen(channel));
	PGresult *result;
	bool ok;

	assert(name != NULL);
	buffer_printf(&sql, "%s %s", command, name);
	result = PQexec(database->connection, buffer_text(&sql));
	ok = database_succeeded(result);
	if (!ok) {
		log_error("lost the connection to the database", "command", command, "sqlstate",
			PQresultErrorField(result, PG_DIAG_SQLSTATE), NULL);
		database_disconnect(database);
	}
	PQclear(result);
	PQfreemem(name);
	buffer_free(&sql);
	return ok;
}

void
database_notify(struct database *database, const char *channel)
{
	/* Only a nudge: when it is lost, the poll comes a little later. */
	if (database_connect(database))
		(void)run_command(database, "NOTIFY", channel);
}

static bool
listen_on(struct database *database, const char *channel)
{
	if (!database_connect(database) || !run_command(database, "LISTEN", channel))
		return false;
	free(database->listening);
	database->listening = xstrdup(channel);
	return true;
}

/* Takes what has arrived, all at once: a hundred notifications are one. */
static bool
take_notifications(PGconn *connection, const char *channel)
{
	PGnotify *notification;
	bool is_notified = false;

	while ((notification = PQnotifies(connection)) != NULL) {
		if (strcmp(notification->relname, channel) == 0)
			is_notified = true;
		PQfreemem(notification);
	}
	return is_notified;
}

enum wake { WAKE_READABLE, WAKE_TIME_UP, WAKE_SIGNAL };

/* Waits for the socket (-1: only for the time). A signal that comes between the
 * question whether to stop and the wait would be slept through; so signals are
 * held back until poll lets them in. */
static enum wake
wait_readable(int socket, int64_t timeout_ms)
{
	struct pollfd poll = { .fd = socket, .events = POLLIN };
	struct timespec timeout = {
		.tv_sec = (time_t)(timeout_ms / 1000), .tv_nsec = (long)(timeout_ms % 1000) * 1000000,
	};
	sigset_t held, before;
	enum wake wake = WAKE_SIGNAL;

	sigemptyset(&held);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGINT);
	pthread_sigmask(SIG_BLOCK, &held, &before);
	if (!supervisor_stopping()) {
		int ready = ppoll(&poll, 1, &timeout, &before);

		wake = ready > 0 ? WAKE_READABLE : ready == 0 ? WAKE_TIME_UP : WAKE_SIGNAL;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return wake;
}

static bool
is_listening_on(const struct database *database, const char *channel)
{
	return database->connection != NULL && database->listening != NULL
		&& strcmp(database->listening, channel) == 0;
}

bool
database_wait(struct database *database, const char *channel, int64_t timeout_ms)
{
	int64_t deadline = clock_monotonic_ms() + timeout_ms;
	int64_t left;

	if (!is_listening_on(database, channel)) {
		if (listen_on(database, channel))
			return true;	/* what was sent before we listened, nobody heard */
		wait_readable(-1, timeout_ms < RECONNECT_PAUSE_MS ? timeout_ms : RECONNECT_PAUSE_MS);
		return false;
	}
	for (;;) {
		/* Before the wait as well: with TLS, what has come may be in a buffer. */
		if (PQconsumeInput(database->connection) == 0) {
			log_warn("lost the connection to the database while listening", "channel", channel, NULL);
			database_disconnect(database);
			return listen_on(database, channel);
		}
		if (take_notifications(database->connection, channel))
			return true;
		left = deadline - clock_monotonic_ms();
		if (left <= 0 || wait_readable(PQsocket(database->connection), left) != WAKE_READABLE)
			return false;
	}
}
