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
#include "findings.h"
#include "log.h"
#include "smtp_probe.h"
#include "smtp_token.h"
#include "template.h"

/* The largest workbook (deploy/env.example), and some room beside it. */
#define ROOM_WANTED_MIB 256

static const enum probe_tls tls_of[] = {
	[SMTP_TLS_STARTTLS] = PROBE_TLS_STARTTLS, [SMTP_TLS_IMPLICIT] = PROBE_TLS_IMPLICIT, [SMTP_TLS_NONE] = PROBE_TLS_NONE,
};

/* The token that the mailer would read; false, said, when there is none. */
static bool
read_token(struct findings *findings, const struct config *config, char **token)
{
	const char *reason = NULL;

	if (!config->smtp.xoauth2)
		return true;
	*token = smtp_token_read(config->smtp_token_file, &reason);
	if (*token == NULL)
		findings_add(findings, FINDING_FAIL, "smtp.auth", "Mend the file that ROLLCALL_SMTP_TOKEN_FILE names: it holds the token alone.",
			"The relay's token cannot be used: %s.", reason);
	return *token != NULL;
}

static void
look_at_relay(struct findings *findings, const struct config *config)
{
	char *token = NULL;
	const char *host = strstr(config->public_url, "://");
	char greeting[256] = "";
	struct probe_target target = {
		.host = config->smtp.host, .port = config->smtp.port,
		.tls = tls_of[config->smtp.tls], .ca_file = config->smtp_ca,
		.greeting = greeting, .user = config->smtp.user, .password = config->smtp.password,
		.sender = config->mail_from_address,
	};

	/* As the mailer does: a name without a dot is refused by some. */
	gethostname(greeting, sizeof(greeting) - 1);
	if (strchr(greeting, '.') == NULL && host != NULL && strcspn(host + 3, ":/[") > 0) {
		memset(greeting, 0, sizeof(greeting));
		memcpy(greeting, host + 3, strcspn(host + 3, ":/[") < sizeof(greeting) ? strcspn(host + 3, ":/[") : sizeof(greeting) - 1);
	}
	if (read_token(findings, config, &token)) {
		target.token = token;
		smtp_probe(&target, findings);
		smtp_token_free(&token);
	}
}

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
		look_at_relay(findings, reading.config);
		look_at_templates(findings, reading.config);
		look_at_room(findings);
	}
	const int code = findings_print(findings, stdout, as_json);
	findings_free(&findings);
	config_reading_free(&reading);
	return code;
}
