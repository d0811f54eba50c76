/*
 * sandbox: takes from this process what it does not need to turn bytes into rows.
 */
#ifndef ROLLCALL_SANDBOX_H
#define ROLLCALL_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* True: from now on this process can read and write files 0 to 2, take memory up to
 * `memory_bytes` (of which a sanitizer needs too much to be limited), and end; whatever
 * else it asks the kernel for kills it (SIGSYS). False: nothing is certain, and the
 * caller must end. */
bool sandbox_enter(size_t memory_bytes, unsigned cpu_s) __attribute__((warn_unused_result));

#endif
