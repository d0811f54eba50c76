/*
 * What the two programs do alike when they start.
 */
#include "service.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "config.h"
#include "database.h"
#include "log.h"
#include "metrics_server.h"
#include "schema.h"
#include "supervisor.h"

#define CHECK_TIMEOUT_MS 5000
#define CHECK_PAUSE_S 1

/* False, with the reason in `detail`: nobody knows yet. */
static bool
schema_fits(struct database *database, char *detail, size_t detail_size)
{
	switch (schema_check(database, detail, detail_size)) {
	case SCHEMA_FITS:
		return true;
	case SCHEMA_OLDER:
	case SCHEMA_INCOMPATIBLE:
		die("could not start: %s", detail);
	case SCHEMA_UNREACHABLE:
		break;
	}
	return false;
}

void
service_check_schema(const struct config *config, const char *program)
{
	struct database *database = database_create(config->database_url, program, CHECK_TIMEOUT_MS);
	char detail[512];

	if (!schema_fits(database, detail, sizeof(detail)))
		log_warn("could not check the schema yet", "reason", detail, NULL);
	database_free(&database);
}

void
service_await_schema(struct database *database)
{
	char detail[512];

	/* What cannot be reached is logged once, by who tries to. SIGTERM ends the pause. */
	while (!supervisor_stopping() && !schema_fits(database, detail, sizeof(detail)))
		(void)nanosleep(&(struct timespec){ .tv_sec = CHECK_PAUSE_S }, NULL);
}

int
service_run_metrics(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)number;
	(void)instance;
	return metrics_server_run(&service->config->metrics_listen, service->page);
}
