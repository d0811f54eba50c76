/*
 * report_probe: lets pytest have the report of an import made as its job would.
 *
 *     report_probe ORG_ID IMPORT_ID
 *
 * The job is there, in the hands of `probe`, at its first attempt. The environment is that
 * of a worker. stdout: ok, conflict, lost or error.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "import_report.h"
#include "job_lease.h"
#include "log.h"
#include "memory.h"
#include "shared_page.h"

int
main(int argc, char **argv)
{
	static const char *const words[] = {
		[DATABASE_OK] = "ok", [DATABASE_CONFLICT] = "conflict", [DATABASE_LOST] = "lost", [DATABASE_ERROR] = "error",
	};
	struct worker worker;

	if (argc != 3) {
		fprintf(stderr, "usage: report_probe ORG_ID IMPORT_ID\n");
		return 2;
	}
	struct config *config = config_load(CONFIG_WORKER);
	if (config == NULL)
		return 1;
	log_open(config->log_level, config->log_json, "worker");
	struct shared_page *page = shared_page_create(NULL, 0);
	worker_open(&worker, config, page, 0, "probe");
	snprintf(worker.name, sizeof(worker.name), "probe");
	struct job_lease lease = {
		.worker = &worker, .kind = "import_parse", .org_id = argv[1], .id = argv[2], .attempts = 1, .arena = arena_create(),
	};
	puts(words[import_report_write(&lease)]);
	arena_free(&lease.arena);
	worker_close(&worker);
	config_free(&config);
	return 0;
}
