/*
 * The order of the examination, and the worker's part of it.
 */
#include "doctor.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buffer.h"
#include "command_options.h"
#include "config.h"
#include "config_priv.h"
#include "config_values.h"
#include "doctor_priv.h"
#include "log.h"

#define INSTANCES_MAX 1000

/* The worker's program, where it lies beside ours. */
static bool
find_worker(char path[PATH_MAX])
{
	const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 32);
	char *slash;

	if (length < 0)
		return false;
	path[length] = '\0';
	slash = strrchr(path, '/');
	strcpy(slash != NULL ? slash + 1 : path, "rollcall-worker");
	return access(path, X_OK) == 0;
}

/* What a program prints; its exit code says nothing that is not printed. */
static void
run_program(const char *path, struct buffer *out)
{
	int pipes[2];
	char piece[4096];
	ssize_t count;
	pid_t pid;

	if (pipe(pipes) != 0)
		return;
	pid = fork();
	if (pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execl(path, path, "doctor", "--json", (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	while (pid > 0 && ((count = read(pipes[0], piece, sizeof(piece))) > 0 || (count < 0 && errno == EINTR)))
		buffer_append(out, piece, count > 0 ? (size_t)count : 0);
	close(pipes[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static bool
is_set(const char *name, const char *name_of_file)
{
	const char *text = getenv(name), *path = getenv(name_of_file);

	return (text != NULL && *text != '\0') || (path != NULL && *path != '\0');
}

static void
look_at_mail(struct findings *findings)
{
	static const char todo[] = "Run `rollcall-worker doctor` with the worker's settings, where the worker runs.";
	struct buffer said = BUFFER_INIT;
	char path[PATH_MAX];

	if (!is_set("ROLLCALL_SMTP_URL", "ROLLCALL_SMTP_URL_FILE") || !find_worker(path)) {
		findings_add(findings, FINDING_OK, "smtp", NULL, "Not looked at: the relay is the worker's affair. %s", todo);
		return;
	}
	run_program(path, &said);
	if (!findings_add_json(findings, buffer_text(&said)))
		findings_add(findings, FINDING_WARN, "smtp", todo, "The worker's doctor could not be asked.");
	buffer_free(&said);
}

static bool
read_number(const struct command_option *option, int *number)
{
	if (option->value == NULL || value_parse_number(option->value, 0, INSTANCES_MAX, number) == NULL)
		return true;
	fprintf(stderr, "%s: a number from 0 to %d\n", option->name, INSTANCES_MAX);
	return false;
}

int
doctor_run(int argc, char **argv)
{
	struct command_option options[] = {
		{ "--json", .is_flag = true }, { "--servers" }, { "--workers" }, { 0 },
	};
	struct doctor_scale scale = { 1, 1 };
	struct findings *findings;
	struct reading reading;

	if (!command_options_read(options, argc, argv) || !read_number(&options[1], &scale.servers)
		|| !read_number(&options[2], &scale.workers))
		return 2;
	log_open(LOG_LEVEL_ERROR, false, "server");
	findings = findings_create();
	reading = config_read(CONFIG_SERVER);
	if (config_find_faults(&reading, findings, "settings", "Correct it: `rollcall-server --print-config` shows all settings and what each expects.")) {
		doctor_look_at_settings(findings, &reading);
		doctor_look_at_machine(findings);
		doctor_look_at_database(findings, reading.config, &scale);
		doctor_look_at_front(findings, reading.config);
		look_at_mail(findings);
	}
	const int code = findings_print(findings, stdout, options[0].value != NULL);
	findings_free(&findings);
	config_reading_free(&reading);
	return code;
}
