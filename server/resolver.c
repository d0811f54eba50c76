/*
 * resolver: see resolver.h. One `struct lookup` serves one lookup after another. The
 * thread and the loop never touch it at once: it is the thread's from start_thread
 * until it has written to finished_fd. The thread may outlive the resolver, and
 * then is the one to free it.
 */
#include "resolver.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"

#define RESOLVER_MAGIC 0x7265736fu

/* Shared by the loop and the thread of the moment; the last to let go frees it. */
struct lookup {
	atomic_int holders;
	int finished_fd;		/* readable once `hosts` is complete */
	struct host_list asked;
	struct host_list hosts;		/* the thread's until finished, then the loop's */
};

struct question {
	TAILQ_ENTRY(question) link;
	resolver_callback *callback;
	void *context;
};
TAILQ_HEAD(question_queue, question);

struct resolver {
	uint32_t magic;
	struct question_queue questions;
	struct lookup *lookup;
	bool is_under_way;
	struct event *finished;
};

static struct resolver *
resolver_from(void *context)
{
	struct resolver *resolver = context;

	assert(resolver->magic == RESOLVER_MAGIC);
	return resolver;
}

static void
release_lookup(struct lookup *lookup)
{
	if (atomic_fetch_sub(&lookup->holders, 1) > 1)
		return;
	close(lookup->finished_fd);
	free(lookup);
}

static void
add_addresses(struct host_list *list, const struct host *host)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int error = getaddrinfo(host->name, NULL, &hints, &found);

	if (error != 0)
		list->fault = gai_strerror(error);
	for (struct addrinfo *at = found; at != NULL && list->count < HOSTS_MAX; at = at->ai_next) {
		struct host *next = &list->hosts[list->count];

		*next = *host;
		if (getnameinfo(at->ai_addr, at->ai_addrlen, next->address, sizeof(next->address),
			NULL, 0, NI_NUMERICHOST) == 0)
			list->count++;
	}
	if (found != NULL)
		freeaddrinfo(found);
}

static void
announce(struct lookup *lookup)
{
	ssize_t written = write(lookup->finished_fd, &(uint64_t){ 1 }, sizeof(uint64_t));

	assert(written == sizeof(uint64_t));
}

static void *
lookup_run(void *context)
{
	struct lookup *lookup = context;

	for (int i = 0; i < lookup->asked.count && lookup->hosts.count < HOSTS_MAX; i++) {
		const struct host *host = &lookup->asked.hosts[i];

		if (host_needs_lookup(host))
			add_addresses(&lookup->hosts, host);
		else
			lookup->hosts.hosts[lookup->hosts.count++] = *host;
	}
	announce(lookup);
	release_lookup(lookup);
	return NULL;
}

/* Signals are for the main thread. */
static bool
start_thread(struct lookup *lookup)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, lookup_run, lookup);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error == 0;
}

static bool
any_needs_lookup(const struct host_list *hosts)
{
	for (int i = 0; i < hosts->count; i++)
		if (host_needs_lookup(&hosts->hosts[i]))
			return true;
	return false;
}

static void
start_lookup(struct resolver *resolver)
{
	struct lookup *lookup = resolver->lookup;

	resolver->is_under_way = true;
	memset(&lookup->hosts, 0, sizeof(lookup->hosts));
	atomic_fetch_add(&lookup->holders, 1);
	if (!any_needs_lookup(&lookup->asked)) {
		(void)lookup_run(lookup);
	} else if (!start_thread(lookup)) {
		lookup->hosts.fault = "no thread to look names up on";
		announce(lookup);
		release_lookup(lookup);
	}
}

static void
resolver_on_finished(evutil_socket_t fd, short what, void *context)
{
	struct resolver *resolver = resolver_from(context);
	struct question_queue answered = TAILQ_HEAD_INITIALIZER(answered);
	struct question *question;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	TAILQ_CONCAT(&answered, &resolver->questions, link);
	while ((question = TAILQ_FIRST(&answered)) != NULL) {
		TAILQ_REMOVE(&answered, question, link);
		question->callback(question->context, &resolver->lookup->hosts);
		free(question);
	}
	resolver->is_under_way = false;
	/* Who asked inside a callback wants a fresh answer. */
	if (!TAILQ_EMPTY(&resolver->questions))
		start_lookup(resolver);
}

struct resolver *
resolver_create(struct event_base *base, const struct conninfo *info)
{
	struct resolver *resolver = xcalloc(1, sizeof(*resolver));
	struct lookup *lookup = xcalloc(1, sizeof(*lookup));

	resolver->magic = RESOLVER_MAGIC;
	TAILQ_INIT(&resolver->questions);
	lookup->asked = *conninfo_hosts(info);
	lookup->holders = 1;
	lookup->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (lookup->finished_fd < 0)
		die("could not make an eventfd: %s", strerror(errno));
	resolver->lookup = lookup;
	resolver->finished = event_new(base, lookup->finished_fd, EV_READ | EV_PERSIST,
		resolver_on_finished, resolver);
	event_add(resolver->finished, NULL);
	return resolver;
}

void
resolver_free(struct resolver **resolver)
{
	struct question *question;

	if (*resolver == NULL)
		return;
	event_free((*resolver)->finished);
	release_lookup((*resolver)->lookup);
	while ((question = TAILQ_FIRST(&(*resolver)->questions)) != NULL) {
		TAILQ_REMOVE(&(*resolver)->questions, question, link);
		free(question);
	}
	free(*resolver);
	*resolver = NULL;
}

void
resolver_ask(struct resolver *resolver, resolver_callback *callback, void *context)
{
	struct question *question = xcalloc(1, sizeof(*question));

	question->callback = callback;
	question->context = context;
	TAILQ_INSERT_TAIL(&resolver->questions, question, link);
	if (!resolver->is_under_way)
		start_lookup(resolver);
}

void
resolver_forget(struct resolver *resolver, const void *context)
{
	struct question *question, *next;

	for (question = TAILQ_FIRST(&resolver->questions); question != NULL; question = next) {
		next = TAILQ_NEXT(question, link);
		if (question->context != context)
			continue;
		TAILQ_REMOVE(&resolver->questions, question, link);
		free(question);
	}
}
