/*
 * Delivery reports out of a Maildir: new/ is read, what was dealt with goes to cur/ as seen, what
 * is no report to unreadable/ beside them, where somebody may look at it.
 *
 * What is always true: a file leaves new/ only behind the commit of what it says, so a crash or
 * a database that is away costs no report; read twice, it changes nothing the second time.
 * Several workers may share a Maildir: who reads a file has it locked.
 */
#include "bounces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounce.h"
#include "config.h"
#include "log.h"
#include "memory.h"
#include "queries.h"
#include "subject.h"
#include "uuid.h"
#include "worker.h"

#define ROUND_MAX 100
#define SEEN ":2,S"

struct maildir {
	int fd, new_fd;
};

enum fate {
	DEALT_WITH,	/* cur/ */
	UNREADABLE,	/* unreadable/ */
	LEFT,		/* somebody else has it, or it cannot be moved */
	NOT_NOW,	/* the database did not answer, or the machine has not enough of something */
};

static enum fate
set_aside(const char *name, const char *reason)
{
	log_warn("could not read a delivery report", "file", name, "reason", reason, NULL);
	return UNREADABLE;
}

/* NULL: not all of it. */
static char *
read_whole(int fd, size_t length)
{
	char *text = xmalloc(length + 1);
	size_t got = 0;
	ssize_t count;

	while (got < length && ((count = read(fd, text + got, length - got)) > 0 || (count < 0 && errno == EINTR)))
		got += count > 0 ? (size_t)count : 0;
	if (got == length)
		return text;
	free(text);
	return NULL;
}

static enum fate
record(struct worker *worker, const struct bounce *bounce)
{
	PGresult *owner = worker_query(worker, &query_mail_owner, (const char *const[]){ bounce->mail_id });
	PGresult *done = NULL;
	char audit_id[UUID_TEXT_SIZE];
	bool is_known = owner != NULL && PQntuples(owner) > 0;

	if (owner != NULL && !is_known)
		log_info("a delivery report is about no mail that is known", "outbox_id", bounce->mail_id, NULL);
	if (is_known && bounce->action == BOUNCE_FAILED) {
		uuid_make_text(audit_id);
		done = worker_query(worker, &query_mail_bounced, (const char *const[]){ row_text(owner, 0, "org_id"),
			bounce->mail_id, bounce->status, bounce->diagnostic, audit_id, transition_actor_system });
	} else if (is_known && bounce->action == BOUNCE_DELAYED) {
		done = worker_query(worker, &query_mail_delayed,
			(const char *const[]){ row_text(owner, 0, "org_id"), bounce->mail_id, bounce->diagnostic });
	}
	const bool is_done = owner != NULL && (!is_known || bounce->action == BOUNCE_ARRIVED || done != NULL);
	PQclear(owner);
	PQclear(done);
	return is_done ? DEALT_WITH : NOT_NOW;
}

/* Whether the file is still the one of this name: who had it before may have moved it. */
static bool
is_still_new(const struct maildir *maildir, const char *name, const struct stat *opened)
{
	struct stat named;

	return fstatat(maildir->new_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0
		&& named.st_ino == opened->st_ino && named.st_dev == opened->st_dev;
}

static enum fate
read_file(struct worker *worker, const struct maildir *maildir, const char *name, int fd)
{
	struct bounce bounce;
	struct stat info;
	const char *fault;
	char *text;

	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &info) < 0 || !is_still_new(maildir, name, &info))
		return LEFT;
	if (!S_ISREG(info.st_mode))
		return set_aside(name, "it is no file");
	if (info.st_size > BOUNCE_MAX_BYTES)
		return set_aside(name, "it is longer than 1 MiB");
	text = read_whole(fd, (size_t)info.st_size);
	if (text == NULL)
		return set_aside(name, "it could not be read to its end");
	fault = bounce_read(text, (size_t)info.st_size, &bounce);
	free(text);
	return fault != NULL ? set_aside(name, fault) : record(worker, &bounce);
}

/* As who reads mail calls it: flags stand behind ":2,". False: it could not be moved. */
static bool
move(const struct maildir *maildir, const char *name, enum fate fate)
{
	const char *flags = strstr(name, ":2,");
	char path[NAME_MAX + 32];
	int length = flags != NULL ? (int)(flags - name) : (int)strlen(name);

	if (fate == UNREADABLE && mkdirat(maildir->fd, "unreadable", 0700) < 0 && errno != EEXIST)
		return false;
	snprintf(path, sizeof(path), fate == UNREADABLE ? "unreadable/%.*s" : "cur/%.*s" SEEN, length, name);
	return renameat(maildir->new_fd, name, maildir->fd, path) == 0;
}

static enum fate
open_and_read(struct worker *worker, const struct maildir *maildir, const char *name, int *fd)
{
	/* A link could lead anywhere, and a pipe has no end. */
	*fd = openat(maildir->new_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*fd >= 0)
		return read_file(worker, maildir, name, *fd);
	if (errno == ENOENT)
		return LEFT;
	if (errno == ELOOP || errno == ENXIO || errno == EACCES)
		return set_aside(name, strerror(errno));
	log_warn("could not open a delivery report", "file", name, "reason", strerror(errno), NULL);
	return NOT_NOW;
}

static enum fate
take(struct worker *worker, const struct maildir *maildir, const char *name)
{
	int fd;
	enum fate fate = open_and_read(worker, maildir, name, &fd);

	if ((fate == DEALT_WITH || fate == UNREADABLE) && !move(maildir, name, fate)) {
		log_warn("could not move a delivery report", "file", name, "reason", strerror(errno), NULL);
		fate = LEFT;
	}
	if (fd >= 0)
		close(fd);	/* and the lock with it */
	return fate;
}

/* How many have left new/. */
static int
take_some(struct worker *worker, const struct maildir *maildir, DIR *folder)
{
	const struct dirent *entry;
	int taken = 0;

	while (taken < ROUND_MAX && (entry = readdir(folder)) != NULL) {
		enum fate fate = entry->d_name[0] == '.' ? LEFT : take(worker, maildir, entry->d_name);

		if (fate == NOT_NOW)
			return 0;
		taken += fate != LEFT;
	}
	return taken;
}

bool
bounces_take(struct worker *worker)
{
	const char *path = worker->config->bounce_maildir;
	struct maildir maildir = { -1, -1 };
	DIR *folder = NULL;
	int taken = 0;

	if (path == NULL)
		return false;
	maildir.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (maildir.fd >= 0)
		maildir.new_fd = openat(maildir.fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (maildir.new_fd >= 0)
		folder = fdopendir(maildir.new_fd);
	if (folder != NULL)
		taken = take_some(worker, &maildir, folder);
	else {
		log_warn("could not read ROLLCALL_BOUNCE_MAILDIR", "reason", strerror(errno), NULL);
		worker->task_failed = true;
	}
	if (folder != NULL)
		closedir(folder);	/* and new_fd with it */
	else if (maildir.new_fd >= 0)
		close(maildir.new_fd);
	if (maildir.fd >= 0)
		close(maildir.fd);
	return taken == ROUND_MAX;
}
