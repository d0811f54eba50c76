/*
 * process_info: what the kernel says about a process, for /metrics.
 */
#ifndef ROLLCALL_PROCESS_INFO_H
#define ROLLCALL_PROCESS_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct process_info {
	int64_t resident_bytes;
	int64_t cpu_us;		/* in user and kernel mode, since it began */
	int64_t open_fds;
};

/* False when there is no such process, or it is not ours to look at. */
bool process_info_read(int pid, struct process_info *info);

#endif
