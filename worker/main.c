/*
 * rollcall-worker: a supervisor with one clock, some senders, and the metrics.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "database.h"
#include "log.h"
#include "metrics_server.h"
#include "schema.h"
#include "sender.h"
#include "shared_page.h"
#include "supervisor.h"
#include "tasks.h"

/* A batch in hand is finished; a session that hangs is not waited for. */
#define STOP_DEADLINE_S 25

struct service {
	struct config *config;
	struct shared_page *page;
};

static int
run_clock(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)instance;
	return tasks_run(service->config, service->page, number);
}

static int
run_sender(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)instance;
	return sender_run(service->config, service->page, number);
}

static int
run_metrics(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)number;
	(void)instance;
	return metrics_server_run(&service->config->metrics_listen, service->page);
}

static void
check_schema(const struct config *config)
{
	struct database *database = database_create(config->database_url, "rollcall-worker", 5000);
	char detail[512];
	const enum schema_fit fit = schema_check(database, detail, sizeof(detail));

	if (fit == SCHEMA_OLDER || fit == SCHEMA_INCOMPATIBLE)
		die("could not start: %s", detail);
	if (fit == SCHEMA_UNREACHABLE)
		log_warn("could not check the schema yet", "reason", detail, NULL);
	database_free(&database);
}

static int
run(void)
{
	struct service service = { .config = config_load(CONFIG_WORKER) };
	struct child_spec specs[3];
	int count = 0, code;

	if (service.config == NULL)
		return 1;
	log_open(service.config->log_level, service.config->log_json, "worker");
	signal(SIGPIPE, SIG_IGN);
	check_schema(service.config);
	service.page = shared_page_create(NULL, 0);
	specs[count++] = (struct child_spec){ "clock", 1, run_clock, 0 };
	specs[count++] = (struct child_spec){ "sender", service.config->senders, run_sender, SENDER_DEADLINE_S };
	if (service.config->metrics_listen.port != 0)
		specs[count++] = (struct child_spec){ "metrics", 1, run_metrics, 0 };
	code = supervisor_run(specs, count, &service, service.page, STOP_DEADLINE_S);
	config_free(&service.config);
	return code;
}

int
main(int argc, char **argv)
{
	if (argc == 1)
		return run();
	if (argc == 2 && strcmp(argv[1], "--print-config") == 0)
		return config_print(CONFIG_WORKER, stdout) ? 0 : 1;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("rollcall-worker %s, schema %d\n", ROLLCALL_VERSION, migrations[migration_count - 1].version);
		return 0;
	}
	fprintf(stderr, "rollcall-worker works; its other faces: --print-config, --version\n");
	return 2;
}
