/*
 * rollcall-worker: a supervisor with one clock, some senders, some job children, and the
 * metrics.
 *
 * Each child has its own connection and is a plain loop; a child that hangs past its
 * deadline is killed, one that dies is started again. Any number of workers may run.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "doctor.h"
#include "jobs.h"
#include "log.h"
#include "metrics_server.h"
#include "parser_child.h"
#include "schema.h"
#include "sender.h"
#include "service.h"
#include "shared_page.h"
#include "supervisor.h"
#include "tasks.h"
#include "template.h"
#include "uuid.h"

/* The message in hand is finished: its last answer may take 50 s (mailer.h), settling
 * 10 s while stopping (sender.c), and a slow database something on top. Whoever stops
 * us must have more patience than this: docker-compose.yml. */
#define STOP_DEADLINE_S 75

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
run_jobs(void *context, int number, int instance)
{
	const struct service *service = context;

	(void)instance;
	return jobs_run(service->config, service->page, service->run_id, number);
}

/* Faults of an override are said now, not by senders that die one after another. */
static void
check_templates(const struct config *config)
{
	struct template_set *templates = template_set_load(config->templates);

	template_set_free(&templates);
}

static int
run(void)
{
	struct config *config = config_load(CONFIG_WORKER);
	struct service service = { .config = config };
	struct child_spec specs[4];
	int count = 0, code;

	if (config == NULL)
		return 1;
	log_open(config->log_level, config->log_json, "worker");
	check_templates(config);
	if (config->metrics_listen.port != 0)
		metrics_server_probe(&config->metrics_listen);
	service_check_schema(config, "rollcall-worker");
	service.page = shared_page_create(NULL, 0);
	tasks_name(service.page);
	uuid_make_text(service.run_id);
	metric_set(service.page, METRIC_MAIL_LANE_HELD, 0);
	specs[count++] = (struct child_spec){ "clock", 1, run_clock, 0 };
	specs[count++] = (struct child_spec){ "sender", config->senders, run_sender, SENDER_DEADLINE_S };
	specs[count++] = (struct child_spec){ "job", config->jobs, run_jobs, JOB_DEADLINE_S };
	if (config->metrics_listen.port != 0)
		specs[count++] = (struct child_spec){ "metrics", 1, service_run_metrics, 0 };
	code = supervisor_run(specs, count, &service, service.page, STOP_DEADLINE_S);
	config_free(&config);
	return code;
}

int
main(int argc, char **argv)
{
	parser_child_enter(argc, argv, NULL);
	if (argc == 1)
		return run();
	if (argc == 2 && strcmp(argv[1], "--print-config") == 0)
		return config_print(CONFIG_WORKER, stdout) ? 0 : 1;
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("rollcall-worker %s, schema %d\n", ROLLCALL_VERSION, migrations[migration_count - 1].version);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "doctor") == 0)
		return doctor_run(false);
	if (argc == 3 && strcmp(argv[1], "doctor") == 0 && strcmp(argv[2], "--json") == 0)
		return doctor_run(true);
	fprintf(stderr, "rollcall-worker works; its other faces: doctor [--json], --print-config, --version\n");
	return 2;
}
