/*
 * Read from /proc (proc(5)): statm for memory, stat for CPU time, fd for descriptors.
 */
#include "process_info.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool
read_line(int pid, const char *name, char *line, int size)
{
	char path[64];
	FILE *file;
	bool is_read;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	is_read = fgets(line, size, file) != NULL;
	fclose(file);
	return is_read;
}

static int64_t
count_fds(int pid)
{
	char path[64];
	int64_t count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	while (folder != NULL && readdir(folder) != NULL)
		count++;
	if (folder != NULL)
		closedir(folder);
	return count > 2 ? count - 2 : 0;	/* "." and ".." */
}

bool
process_info_read(int pid, struct process_info *info)
{
	uint64_t pages = 0, user_ticks = 0, system_ticks = 0;
	char line[1024];
	const char *behind_name;

	if (!read_line(pid, "statm", line, sizeof(line)) || sscanf(line, "%*u %" SCNu64, &pages) != 1)
		return false;
	/* Fields 14 and 15; a process's name, the second, may hold anything. */
	if (!read_line(pid, "stat", line, sizeof(line)) || (behind_name = strrchr(line, ')')) == NULL
		|| sscanf(behind_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user_ticks, &system_ticks) != 2)
		return false;
	info->resident_bytes = (int64_t)pages * sysconf(_SC_PAGESIZE);
	info->cpu_us = (int64_t)(user_ticks + system_ticks) * 1000000 / sysconf(_SC_CLK_TCK);
	info->open_fds = count_fds(pid);
	return true;
}
