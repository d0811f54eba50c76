/*
 * hasher: see hasher.h. Tasks go from `queued` through a thread to `finished`, and
 * from there to their callback; the mutex guards the two queues and nothing else. A
 * task's place is returned just before its callback runs.
 */
#include "hasher.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"
#include "log.h"
#include "memory.h"
#include "priority.h"
#include "shared_page.h"

#define HASHER_MAGIC 0x68617368u
#define NICENESS 10	/* reads go first: a storm of logins must not slow them */

enum task_kind { TASK_VERIFY, TASK_VERIFY_DUMMY, TASK_MAKE };

struct task {
	STAILQ_ENTRY(task) link;
	enum task_kind kind;
	char *stored;			/* TASK_VERIFY only */
	char *password;
	struct hash_result result;
	int64_t queued_ns;
	hash_callback *callback;
	void *context;
};
STAILQ_HEAD(task_queue, task);

struct hasher {
	uint32_t magic;
	struct shared_page *page;
	int child;
	int place_limit;
	struct password_cost cost;
	char dummy[PASSWORD_HASH_SIZE];
	int finished_fd;		/* readable while `finished` may hold tasks */
	struct event *finished_event;
	pthread_t *threads;
	int thread_count;

	pthread_mutex_t mutex;		/* of what stands below */
	pthread_cond_t changed;
	struct task_queue queued;
	struct task_queue finished;
	bool is_stopping;
};

static struct hasher *
hasher_from(void *context)
{
	struct hasher *hasher = context;

	assert(hasher->magic == HASHER_MAGIC);
	return hasher;
}

static void
free_secret(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

static void
task_free(struct task *task)
{
	free_secret(task->stored);
	free_secret(task->password);
	OPENSSL_cleanse(task, sizeof(*task));
	free(task);
}

/* ---- On the threads ---- */

/* Only the time that it takes matters. */
static void
verify_dummy(const struct hasher *hasher, const struct task *task)
{
	(void)!password_verify(hasher->dummy, task->password);
}

/* A hash that came from elsewhere, or is of another cost than today's. It may have been
 * cheaper than what an unknown login takes; so a wrong guess takes that beside it. */
static void
outdated_verified(const struct hasher *hasher, struct task *task)
{
	struct hash_result *result = &task->result;

	metric_add_by(hasher->page, METRIC_PASSWORD_HASHES, result->ok ? HASH_TO_KEEP : HASH_TO_EQUALISE, 0, 1);
	if (!result->ok)
		verify_dummy(hasher, task);
	else if (!password_hash(&hasher->cost, task->password, result->hash))
		result->hash[0] = '\0';
}

static void
task_run(const struct hasher *hasher, struct task *task)
{
	struct hash_result *result = &task->result;

	switch (task->kind) {
	case TASK_MAKE:
		result->ok = password_hash(&hasher->cost, task->password, result->hash);
		break;
	case TASK_VERIFY:
		result->ok = password_verify(task->stored, task->password);
		if (password_needs_rehash(&hasher->cost, task->stored))
			outdated_verified(hasher, task);
		break;
	case TASK_VERIFY_DUMMY:
		verify_dummy(hasher, task);
		break;
	}
}

static void
count_hash(const struct hasher *hasher, const struct task *task)
{
	static const enum hash_purpose purposes[] = {
		[TASK_VERIFY] = HASH_TO_CHECK, [TASK_VERIFY_DUMMY] = HASH_TO_EQUALISE, [TASK_MAKE] = HASH_TO_KEEP,
	};

	metric_add_by(hasher->page, METRIC_PASSWORD_HASHES, (int)purposes[task->kind], 0, 1);
	metric_observe(hasher->page, METRIC_PASSWORD_DURATION, 0, (clock_monotonic_ns() - task->queued_ns) / 1000);
}

/* With the mutex held. Waits for the next task; NULL: stop. */
static struct task *
next_task(struct hasher *hasher)
{
	struct task *task;

	while (!hasher->is_stopping && STAILQ_EMPTY(&hasher->queued))
		pthread_cond_wait(&hasher->changed, &hasher->mutex);
	if (hasher->is_stopping)
		return NULL;
	task = STAILQ_FIRST(&hasher->queued);
	STAILQ_REMOVE_HEAD(&hasher->queued, link);
	metric_child_add(hasher->page, METRIC_PASSWORD_WAITING, 0, hasher->child, -1);
	return task;
}

static void *
thread_run(void *context)
{
	struct hasher *hasher = context;
	struct task *task;

	priority_lower(NICENESS);
	pthread_mutex_lock(&hasher->mutex);
	while ((task = next_task(hasher)) != NULL) {
		ssize_t written;

		pthread_mutex_unlock(&hasher->mutex);
		task_run(hasher, task);
		count_hash(hasher, task);
		pthread_mutex_lock(&hasher->mutex);
		STAILQ_INSERT_TAIL(&hasher->finished, task, link);
		written = write(hasher->finished_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
		assert(written == sizeof(uint64_t));
	}
	pthread_mutex_unlock(&hasher->mutex);
	return NULL;
}

/* ---- In the event loop ---- */

static void
complete_tasks(struct hasher *hasher, struct task_queue *tasks)
{
	struct task *task;

	while ((task = STAILQ_FIRST(tasks)) != NULL) {
		STAILQ_REMOVE_HEAD(tasks, link);
		hash_place_return(hasher->page, hasher->child);
		task->callback(task->context, &task->result);
		task_free(task);
	}
}

static void
hasher_on_finished(evutil_socket_t fd, short what, void *context)
{
	struct hasher *hasher = hasher_from(context);
	struct task_queue finished = STAILQ_HEAD_INITIALIZER(finished);
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof(count)) != sizeof(count))
		return;
	pthread_mutex_lock(&hasher->mutex);
	STAILQ_CONCAT(&finished, &hasher->finished);
	pthread_mutex_unlock(&hasher->mutex);
	complete_tasks(hasher, &finished);
}

static void
hasher_queue(struct hasher *hasher, enum task_kind kind, const char *stored, const char *password,
	hash_callback *callback, void *context)
{
	struct task *task = xcalloc(1, sizeof(*task));

	task->kind = kind;
	task->stored = stored != NULL ? xstrdup(stored) : NULL;
	task->password = xstrdup(password);
	task->callback = callback;
	task->context = context;
	task->queued_ns = clock_monotonic_ns();
	metric_child_add(hasher->page, METRIC_PASSWORD_WAITING, 0, hasher->child, 1);
	pthread_mutex_lock(&hasher->mutex);
	STAILQ_INSERT_TAIL(&hasher->queued, task, link);
	pthread_cond_signal(&hasher->changed);
	pthread_mutex_unlock(&hasher->mutex);
}

bool
hasher_reserve(struct hasher *hasher)
{
	if (hash_place_take(hasher->page, hasher->child, hasher->place_limit))
		return true;
	metric_add(hasher->page, METRIC_PASSWORD_REFUSALS, 1);
	return false;
}

void
hasher_release(struct hasher *hasher)
{
	hash_place_return(hasher->page, hasher->child);
}

void
hasher_verify(struct hasher *hasher, const char *stored, const char *password,
	hash_callback *callback, void *context)
{
	hasher_queue(hasher, stored != NULL ? TASK_VERIFY : TASK_VERIFY_DUMMY, stored, password,
		callback, context);
}

void
hasher_make(struct hasher *hasher, const char *password, hash_callback *callback, void *context)
{
	hasher_queue(hasher, TASK_MAKE, NULL, password, callback, context);
}

/* ---- Life ---- */

/* This process's part; what does not divide goes to the first of them. (The
 * children of the server have successive numbers.) */
static int
thread_share(const struct config *config, int child)
{
	int share = config->hash_threads / config->processes;

	if (child % config->processes < config->hash_threads % config->processes)
		share++;
	return share > 0 ? share : 1;
}

/* Signals are for the main thread. */
static void
start_threads(struct hasher *hasher)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (int i = 0; i < hasher->thread_count; i++) {
		int error = pthread_create(&hasher->threads[i], NULL, thread_run, hasher);

		if (error != 0)
			die("could not start a hashing thread: %s", strerror(error));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct hasher *
hasher_create(struct event_base *base, const struct config *config, struct shared_page *page,
	int child)
{
	struct hasher *hasher = xcalloc(1, sizeof(*hasher));

	hasher->magic = HASHER_MAGIC;
	hasher->page = page;
	hasher->child = child;
	hasher->place_limit = config->hash_queue;
	metric_set(page, METRIC_PASSWORD_PLACES, config->hash_queue);
	hasher->cost = config->password_cost;
	password_dummy_hash(&hasher->cost, hasher->dummy);
	STAILQ_INIT(&hasher->queued);
	STAILQ_INIT(&hasher->finished);
	pthread_mutex_init(&hasher->mutex, NULL);
	pthread_cond_init(&hasher->changed, NULL);
	hasher->finished_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hasher->finished_fd < 0)
		die("could not make an eventfd: %s", strerror(errno));
	hasher->finished_event = event_new(base, hasher->finished_fd, EV_READ | EV_PERSIST,
		hasher_on_finished, hasher);
	event_add(hasher->finished_event, NULL);
	hasher->thread_count = thread_share(config, child);
	hasher->threads = xcalloc((size_t)hasher->thread_count, sizeof(*hasher->threads));
	start_threads(hasher);
	return hasher;
}

/* Finished ones too: what their owners would do next is no longer possible. */
static void
lose_tasks(struct hasher *hasher)
{
	struct task *task;

	STAILQ_CONCAT(&hasher->finished, &hasher->queued);
	STAILQ_FOREACH(task, &hasher->finished, link) {
		OPENSSL_cleanse(&task->result, sizeof(task->result));
		task->result.is_lost = true;
	}
	complete_tasks(hasher, &hasher->finished);
	assert(STAILQ_EMPTY(&hasher->queued));
}

void
hasher_free(struct hasher **hasher)
{
	struct hasher *h = *hasher;

	if (h == NULL)
		return;
	pthread_mutex_lock(&h->mutex);
	h->is_stopping = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->mutex);
	for (int i = 0; i < h->thread_count; i++)
		pthread_join(h->threads[i], NULL);
	lose_tasks(h);
	event_free(h->finished_event);
	close(h->finished_fd);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->mutex);
	free(h->threads);
	free(h);
	*hasher = NULL;
}
