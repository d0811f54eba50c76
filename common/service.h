/*
 * service: what both programs are made of: a configuration, a shared page, and the
 * children that they have in common.
 */
#ifndef ROLLCALL_SERVICE_H
#define ROLLCALL_SERVICE_H

struct config;
struct shared_page;

/* The context of every child_spec. */
struct service {
	const struct config *config;
	struct shared_page *page;
};

/* Dies when the schema is older than the program needs, or incompatible with it. A
 * database that does not answer yet is waited for later: that is only said. */
void service_check_schema(const struct config *config, const char *program);

/* A child_spec's `run`: /metrics. */
int service_run_metrics(void *context, int number, int instance);

#endif
