/*
 * rollcall-server: alone it serves; with a command it does one thing and ends.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"
#include "database.h"
#include "http_listener.h"
#include "log.h"
#include "metrics_server.h"
#include "process.h"
#include "route.h"
#include "schema.h"
#include "shared_page.h"
#include "supervisor.h"

struct service {
	struct config *config;
	struct shared_page *page;
};

static int
run_server(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)instance;
	return process_run(service->config, service->page, number);
}

static int
run_metrics(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)number;
	(void)instance;
	return metrics_server_run(&service->config->metrics_listen, service->page);
}

/* A database that does not answer yet is waited for by the lanes; one whose schema
 * does not fit must be mended first. */
static void
check_schema(const struct config *config)
{
	struct database *database = database_create(config->database_url, "rollcall-server", 5000);
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

static int
serve(void)
{
	struct service service = { .config = config_load(CONFIG_SERVER) };
	struct child_spec specs[2];
	int count = 0, code;

	if (service.config == NULL)
		return 1;
	log_open(service.config->log_level, service.config->log_json, "server");
	http_listener_probe(&service.config->listen);
	check_schema(service.config);
	service.page = shared_page_create(router_names(), route_count + 1);
	specs[count++] = (struct child_spec){ "server", service.config->processes, run_server, 0 };
	if (service.config->metrics_listen.port != 0)
		specs[count++] = (struct child_spec){ "metrics", 1, run_metrics, 0 };
	code = supervisor_run(specs, count, &service, service.page, DRAIN_DEADLINE_S + 5);
	config_free(&service.config);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc == 1)
		return serve();
	return command_run(argc - 1, argv + 1);
}
