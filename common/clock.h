/*
 * clock: the monotonic clock, for deadlines and durations. Wall time belongs to
 * the database: only its clock decides what has expired.
 */
#ifndef ROLLCALL_CLOCK_H
#define ROLLCALL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Counts from boot, alike in all processes; never 0. */
static inline int64_t
clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t
clock_monotonic_ms(void)
{
	return clock_monotonic_ns() / 1000000;
}

#endif
