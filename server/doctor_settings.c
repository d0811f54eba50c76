/*
 * Settings as they are, and the machine that we run on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "config.h"
#include "config_priv.h"
#include "doctor_priv.h"
#include "encode.h"
#include "memory.h"

#define SECRET_BYTES_MAX 1024
#define FDS_WANTED 4096

/* ---- Secrets. */

static bool
can_be_guessed(const uint8_t *bytes, size_t length)
{
	bool seen[256] = { false };
	size_t distinct = 0, steps = 0, repeats = 0;

	for (size_t i = 0; i < length; i++) {
		distinct += !seen[bytes[i]];
		seen[bytes[i]] = true;
		/* Counting up or down, and a short word over and over. */
		steps += i >= 2 && (uint8_t)(bytes[i] - bytes[i - 1]) == (uint8_t)(bytes[i - 1] - bytes[i - 2]);
		repeats += i >= length / 2 && bytes[i] == bytes[i - length / 2];
	}
	/* 32 random bytes: 30 distinct ones; fewer than 16 in one of 10^13. */
	return distinct < 16 || steps > length / 4 || repeats > length / 4;
}

static bool
one_can_be_guessed(const char *text)
{
	uint8_t bytes[SECRET_BYTES_MAX] = { 0 };
	const bool is_hex = strncmp(text, "base64:", 7) != 0;
	const char *digits = strncmp(text, "hex:", 4) == 0 ? text + 4 : text;
	long length;

	if (is_hex)
		length = hex_decode(digits, bytes, strlen(digits) / 2) ? (long)strlen(digits) / 2 : 0;
	else
		length = base64_decode(text + 7, bytes, sizeof(bytes));
	const bool is_weak = length <= 0 || can_be_guessed(bytes, (size_t)length);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return is_weak;
}

static void
look_at_secret(struct findings *findings, const char *secrets)
{
	char *copy = xstrdup(secrets), *rest = copy;
	const size_t length = strlen(copy);
	int count = 0, weak = 0;

	for (char *text; (text = strsep(&rest, ",")) != NULL; count++)
		weak += one_can_be_guessed(text);
	OPENSSL_cleanse(copy, length);
	free(copy);
	if (weak > 0)
		findings_add(findings, FINDING_FAIL, "secret.strength",
			"Make a new one (openssl rand -hex 32), put it first in ROLLCALL_SECRET, and drop the old one at once: links from before die.",
			"ROLLCALL_SECRET is no random one: whoever guesses it can make links that set anybody's password.");
	else
		findings_add(findings, FINDING_OK, "secret.strength", NULL, "ROLLCALL_SECRET is long and looks random.");
	if (count > 1)
		findings_add(findings, FINDING_WARN, "secret.rotation", "Drop the old ones once the longest lifetime of a link has passed since the first was put there.",
			"ROLLCALL_SECRET holds %d secrets: links of the older ones are still good.", count);
}

static bool
begins_with(const char *path, const char *folder)
{
	return folder != NULL && *folder != '\0' && strncmp(path, folder, strlen(folder)) == 0;
}

/* Who besides its owner can use the file: bits as of a mode. A folder on the way that others
 * may not enter keeps them from it, whatever its own mode says; and where systemd or a
 * container's manager has put it there is nobody else. */
static mode_t
who_reaches(const char *path)
{
	char *folder = realpath(path, NULL);
	struct stat status;
	mode_t reach;

	if (folder == NULL || stat(folder, &status) != 0 || begins_with(folder, "/run/secrets/")
		|| begins_with(path, getenv("CREDENTIALS_DIRECTORY"))) {
		free(folder);
		return 0;
	}
	reach = status.st_mode & (S_IRWXG | S_IRWXO);
	for (char *slash; (slash = strrchr(folder, '/')) != NULL && slash != folder;) {
		*slash = '\0';
		if (stat(folder, &status) != 0)
			break;
		if ((status.st_mode & S_IXOTH) == 0)
			reach &= ~(mode_t)S_IRWXO;
		if ((status.st_mode & S_IXGRP) == 0)
			reach &= ~(mode_t)S_IRWXG;
	}
	free(folder);
	return reach;
}

static void
look_at_file(struct findings *findings, const char *name, const char *path)
{
	const mode_t reach = who_reaches(path);
	const enum finding_level level = (reach & (S_IRWXO | S_IWGRP)) != 0 ? FINDING_FAIL : reach != 0 ? FINDING_WARN : FINDING_OK;

	if (level == FINDING_OK)
		findings_add(findings, level, "secret.file", NULL, "Nobody but its owner reaches the file of %s.", name);
	else
		findings_add(findings, level, "secret.file", "chmod 0400 it, and let it belong to the user that the programs run as.",
			"The file of %s may be %s by %s.", name, (reach & (S_IWGRP | S_IWOTH)) != 0 ? "written" : "read",
			(reach & S_IRWXO) != 0 ? "everybody on this machine" : "its group");
}

void
doctor_look_at_settings(struct findings *findings, const struct reading *reading)
{
	look_at_secret(findings, reading->config->secret);
	for (int i = 0; i < config_variable_count; i++) {
		if (config_variables[i].mask != SHOWN && reading->settings[i].origin == ORIGIN_FILE)
			look_at_file(findings, config_variables[i].name, reading->settings[i].path);
	}
}

void
doctor_look_at_machine(struct findings *findings)
{
	struct timex clock = { 0 };
	struct rlimit limit;
	const int state = adjtimex(&clock);

	if (state == TIME_ERROR)
		findings_add(findings, FINDING_WARN, "clock.synchronized", "Run chrony or systemd-timesyncd on this machine (for a container: on its host).",
			"The kernel says that no time server keeps this machine's clock: it will drift away from the database's.");
	else
		findings_add(findings, FINDING_OK, "clock.synchronized", NULL, "%s", state < 0 ? "Nobody can ask here who keeps the clock." : "This machine's clock is kept by a time server.");
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur < FDS_WANTED)
		findings_add(findings, FINDING_WARN, "limits.files", "Raise it: LimitNOFILE= of the systemd unit, --ulimit nofile= of Docker.",
			"A process may open %lu files: so many connections of clients, and some less, fit into one server process.", (unsigned long)limit.rlim_cur);
	else
		findings_add(findings, FINDING_OK, "limits.files", NULL, "A process may open %lu files.", (unsigned long)limit.rlim_cur);
}
