/*
 * What only the worker needs.
 */
#include "doctor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "config_priv.h"
#include "doctor_relay.h"
#include "findings.h"
#include "log.h"
#include "template.h"

/* The largest workbook (deploy/env.example), and some room beside it. */
#define ROOM_WANTED_MIB 256

/* Loading says what is wrong and ends the process; so it is not ours that it ends. */
static void
look_at_templates(struct findings *findings, const struct config *config)
{
	int status = -1;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		struct template_set *templates = template_set_load(config->templates);

		template_set_free(&templates);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	const bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	findings_add(findings, good ? FINDING_OK : FINDING_FAIL, "mail.templates", good ? NULL : "Mend the file that is named on standard error, or take it out of ROLLCALL_TEMPLATES.",
		good ? "All mail templates can be used." : "A mail template cannot be used: the worker would not start.");
}

static void
look_at_room(struct findings *findings)
{
	const char *wanted = getenv("TMPDIR"), *folder = wanted != NULL && *wanted != '\0' ? wanted : "/tmp";
	struct statvfs room;

	if (access(folder, W_OK) != 0 || statvfs(folder, &room) != 0) {
		findings_add(findings, FINDING_FAIL, "worker.room", "Set TMPDIR to a folder that the worker may write to.",
			"Nothing can be written to %s: exports and reports of imports have no place. (%s)", folder, strerror(errno));
		return;
	}
	const unsigned long long mib = (unsigned long long)room.f_bavail * room.f_frsize / (1024 * 1024);
	findings_add(findings, mib < ROOM_WANTED_MIB ? FINDING_WARN : FINDING_OK, "worker.room",
		mib < ROOM_WANTED_MIB ? "Make room there, or set TMPDIR to another folder." : NULL,
		"%llu MiB are free in %s, where workbooks are put together; the largest take 200.", mib, folder);
}

int
doctor_run(bool as_json)
{
	struct findings *findings = findings_create();
	struct reading reading = config_read(CONFIG_WORKER);

	log_open(LOG_LEVEL_ERROR, false, "worker");
	if (config_find_faults(&reading, findings, "worker.settings",
		"Correct it: `rollcall-worker --print-config` shows all settings and what each expects.")) {
		doctor_look_at_relay(findings, reading.config);
		look_at_templates(findings, reading.config);
		look_at_room(findings);
	}
	const int code = findings_print(findings, stdout, as_json);
	findings_free(&findings);
	config_reading_free(&reading);
	return code;
}
