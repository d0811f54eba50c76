/*
 * rollcall-server: alone it serves; with a command it does one thing and ends.
 *
 * Serving is a supervisor over the server processes and one that answers /metrics. What
 * cannot work is said before the first child is made: settings, the address, the schema.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "config.h"
#include "http_listener.h"
#include "log.h"
#include "metrics_server.h"
#include "process.h"
#include "route.h"
#include "schema.h"
#include "service.h"
#include "shared_page.h"
#include "supervisor.h"

static int
run_server(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)instance;
	return process_run(service->config, service->page, number);
}

static int
serve(void)
{
	struct config *config = config_load(CONFIG_SERVER);
	struct service service = { .config = config };
	struct child_spec specs[2];
	int count = 0, code;

	if (config == NULL)
		return 1;
	log_open(config->log_level, config->log_json, "server");
	http_listener_probe(&config->listen);
	if (config->metrics_listen.port != 0)
		metrics_server_probe(&config->metrics_listen);
	service_check_schema(config, "rollcall-server");
	service.page = shared_page_create(router_names(), route_count);
	specs[count++] = (struct child_spec){ "server", config->processes, run_server, 0 };
	if (config->metrics_listen.port != 0)
		specs[count++] = (struct child_spec){ "metrics", 1, service_run_metrics, 0 };
	code = supervisor_run(specs, count, &service, service.page, DRAIN_DEADLINE_S + 5);
	config_free(&config);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc == 1)
		return serve();
	return command_run(argc - 1, argv + 1);
}
