/*
 * What the two programs do alike when they start.
 */
#include "service.h"

#include <stddef.h>

#include "config.h"
#include "database.h"
#include "log.h"
#include "metrics_server.h"
#include "schema.h"

#define CHECK_TIMEOUT_MS 5000

void
service_check_schema(const struct config *config, const char *program)
{
	struct database *database = database_create(config->database_url, program, CHECK_TIMEOUT_MS);
	char detail[512];

	switch (schema_check(database, detail, sizeof(detail))) {
	case SCHEMA_FITS:
		break;
	case SCHEMA_OLDER:
	case SCHEMA_INCOMPATIBLE:
		die("could not start: %s", detail);
	case SCHEMA_UNREACHABLE:
		log_warn("could not check the schema yet", "reason", detail, NULL);
		break;
	}
	database_free(&database);
}

int
service_run_metrics(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)number;
	(void)instance;
	return metrics_server_run(&service->config->metrics_listen, service->page);
}
