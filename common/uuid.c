/*
 * uuid: UUIDv7 (RFC 9562 §5.7).
 *
 * 48 bits of Unix milliseconds, then version and variant around 74 bits that are
 * random at the first id of a millisecond and grow by a random step after that
 * (§6.2, method 2). So ids of one process strictly grow, also when the clock
 * stands still or is set back: then the moment of the last id is used on.
 *
 * Safe in threads, and after fork: a child forgets its parent's place and takes
 * new random bits, so the two never count on side by side.
 */
#include "uuid.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "encode.h"

#define MS_MAX ((INT64_C(1) << 48) - 1)
#define HIGH_MAX ((UINT32_C(1) << 12) - 1)	/* rand_a */
#define LOW_MAX ((UINT64_C(1) << 62) - 1)	/* rand_b */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* The last id of this process; ms is -1 before the first. Under the mutex. */
static struct moment {
	int64_t ms;
	uint32_t high;
	uint64_t low;
} last = { .ms = -1 };

static void
lock(void)
{
	pthread_mutex_lock(&mutex);
}

static void
unlock(void)
{
	pthread_mutex_unlock(&mutex);
}

static void
unlock_in_child(void)
{
	last.ms = -1;
	unlock();
}

static void
watch_forks(void)
{
	/* The lock is held across fork, so that a child never inherits it taken. */
	if (pthread_atfork(lock, unlock, unlock_in_child) != 0)
		abort();
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
random_fill(void *bytes, size_t length)
{
	if (getentropy(bytes, length) != 0)
		abort();
}

static void
moment_start(struct moment *moment, int64_t ms)
{
	random_fill(&moment->low, sizeof(moment->low));
	random_fill(&moment->high, sizeof(moment->high));
	moment->low &= LOW_MAX;
	moment->high &= HIGH_MAX;
	moment->ms = ms;
}

/* A step of up to 2^32 leaves room for a billion ids in nearly every millisecond;
 * where the room ends, the next millisecond is begun early. */
static void
moment_step(struct moment *moment)
{
	uint32_t step;

	random_fill(&step, sizeof(step));
	moment->low += (uint64_t)step + 1;
	if (moment->low <= LOW_MAX)
		return;
	moment->low &= LOW_MAX;
	if (++moment->high > HIGH_MAX)
		moment_start(moment, moment->ms + 1);
}

static struct uuid
uuid_of(const struct moment *moment)
{
	struct uuid id;

	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(moment->ms >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)(0x70 | moment->high >> 8);
	id.bytes[7] = (uint8_t)moment->high;
	for (int i = 0; i < 8; i++)
		id.bytes[8 + i] = (uint8_t)(moment->low >> (56 - 8 * i));
	id.bytes[8] |= 0x80;
	return id;
}

struct uuid
uuid_make(void)
{
	struct uuid id;
	int64_t ms;

	pthread_once(&once, watch_forks);
	lock();
	ms = now_ms();
	if (ms > last.ms)
		moment_start(&last, ms);
	else
		moment_step(&last);
	id = uuid_of(&last);
	unlock();
	return id;
}

/* Moments that no id can carry become the first or the last that one can. */
struct uuid
uuid_at(int64_t unix_ms)
{
	struct moment moment = { .ms = unix_ms };

	if (unix_ms < 0)
		moment.ms = 0;
	else if (unix_ms > MS_MAX)
		moment.ms = MS_MAX;
	return uuid_of(&moment);
}

/* Where the canonical text has a hyphen: in front of these bytes. */
static bool
has_hyphen_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

bool
uuid_parse(const char *text, struct uuid *uuid)
{
	char digits[HEX_SIZE(sizeof(uuid->bytes))];
	char *out = digits;

	if (strnlen(text, UUID_TEXT_SIZE) != UUID_TEXT_SIZE - 1)
		return false;
	for (int i = 0; i < 16; i++) {
		if (has_hyphen_before(i) && *text++ != '-')
			return false;
		*out++ = *text++;
		*out++ = *text++;
	}
	*out = '\0';
	return hex_decode(digits, uuid->bytes, sizeof(uuid->bytes));
}

void
uuid_format(const struct uuid *uuid, char text[UUID_TEXT_SIZE])
{
	for (int i = 0; i < 16; i++) {
		if (has_hyphen_before(i))
			*text++ = '-';
		hex_encode(&uuid->bytes[i], 1, text);
		text += 2;
	}
}

void
uuid_make_text(char text[UUID_TEXT_SIZE])
{
	struct uuid id = uuid_make();

	uuid_format(&id, text);
}

bool
uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

int
uuid_find(const struct uuid *ids, int count, const struct uuid *id)
{
	for (int i = 0; i < count; i++) {
		if (uuid_equal(&ids[i], id))
			return i;
	}
	return -1;
}
