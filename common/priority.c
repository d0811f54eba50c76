#include "priority.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

void
priority_lower(int steps)
{
	/* On Linux a thread has a priority of its own. */
	if (setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + steps) != 0)
		log_warn("could not lower the priority", "reason", strerror(errno), NULL);
}
