/*
 * Commands: a small table of words, and what each does.
 *
 * They talk to the database with the blocking connection of common/database.h and
 * decide with the same lifecycle as the API; an organization and its first
 * administrator come into being in one transaction.
 */
#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "command_options.h"
#include "commands_priv.h"
#include "config.h"
#include "database.h"
#include "founding.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "policy.h"
#include "policy_document.h"
#include "queries.h"
#include "schema.h"
#include "text.h"
#include "token.h"
#include "transition.h"
#include "uuid.h"

#define COMMAND_TIMEOUT_MS 30000
#define NAME_MAX_CHARACTERS 200

struct config *
command_load_config(void)
{
	struct config *config = config_load(CONFIG_SERVER);

	if (config != NULL)
		log_open(LOG_LEVEL_WARN, config->log_json, "server");
	return config;
}

struct database *
command_open_database(const struct config *config)
{
	struct database *database = database_create(config->database_url, "rollcall-command", COMMAND_TIMEOUT_MS);
	char detail[512];

	if (schema_check(database, detail, sizeof(detail)) != SCHEMA_FITS)
		die("%s", detail);
	return database;
}

static int
run_migrate(int argc, char **argv)
{
	struct command_option options[] = { { "--dry-run", .is_flag = true }, { 0 } };
	struct config *config;

	if (!command_options_read(options, argc, argv))
		return 2;
	config = command_load_config();
	if (config == NULL)
		return 1;
	bool done = schema_migrate(config->migrate_database_url, config->database_url, options[0].value != NULL);
	config_free(&config);
	return done ? 0 : 1;
}

bool
command_is_short_name(const char *text)
{
	return name_is_valid(text) && utf8_length(text) <= NAME_MAX_CHARACTERS;
}

static bool
founding_is_valid(const struct founding *founding)
{
	bool good = true;

	struct { bool is_good; const char *what; } checks[] = {
		{ slug_is_valid(founding->slug), "--slug: 2 to 63 of a-z, 0-9 and -, beginning with a letter" },
		{ command_is_short_name(founding->name), "--name: a name of at most 200 characters, none of them a control character" },
		{ email_is_valid(founding->email), "--admin-email: an address that mail can be sent to" },
		{ founding->username == NULL || username_is_valid(founding->username),
			"--admin-username: letters, digits, dots, hyphens, underscores" },
		{ founding->username != NULL || !founding_needs_username(founding->preset),
			"--admin-username: needed, people sign in by username under this preset" },
		{ policy_preset(founding->preset) != NULL, "--preset: default, hesh, urbantz, keycrm or wetrack" },
		{ locale_is_known(founding->locale), "--locale: en, uk or ru" },
	};
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (!checks[i].is_good) {
			fprintf(stderr, "%s\n", checks[i].what);
			good = false;
		}
	}
	return good;
}

static void
print_invitation(struct arena *arena, const struct config *config, const char *org_id, const char *user_id, uint32_t generation)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	json_write_string_member(&out, "organization_id", org_id);
	json_write_string_member(&out, "user_id", user_id);
	json_write_string_member(&out, "invitation_url", founding_invitation_url(arena, config, org_id, user_id, generation));
	buffer_putc(&out, '}');
	puts(buffer_text(&out));
	buffer_free_secret(&out);
}

static bool
timezone_is_known(struct database *database, const char *timezone)
{
	struct database_result zone = database_run(database, &query_timezone_find, (const char *const[]){ timezone });
	const bool is_known = zone.status == DATABASE_OK && PQntuples(zone.rows) == 1;

	if (zone.status == DATABASE_OK && !is_known)
		fprintf(stderr, "--timezone: there is no time zone of this name; one is Europe/Kyiv\n");
	PQclear(zone.rows);
	return is_known;
}

static bool
found(struct database *database, struct arena *arena, struct founding *founding)
{
	PGresult *results[FOUNDING_STATEMENTS] = { NULL };
	struct statement statements[FOUNDING_STATEMENTS];

	founding_statements(arena, founding, COMMAND_ACTOR, statements);
	enum database_status status = database_run_together(database, statements, FOUNDING_STATEMENTS, results);
	for (int i = 0; i < FOUNDING_STATEMENTS; i++)
		PQclear(results[i]);
	if (status != DATABASE_OK)
		fprintf(stderr, "could not create the organization: is the slug taken?\n");
	return status == DATABASE_OK;
}

static int
run_org_create(int argc, char **argv)
{
	struct command_option options[] = {
		{ "--slug", true }, { "--name", true }, { "--admin-email", true }, { "--admin-username" },
		{ "--preset" }, { "--locale" }, { "--timezone" }, { 0 },
	};
	struct founding founding;
	struct config *config;

	if (!command_options_read(options, argc, argv))
		return 2;
	founding = (struct founding){ .slug = options[0].value, .name = options[1].value, .email = options[2].value,
		.username = options[3].value, .preset = options[4].value != NULL ? options[4].value : "default",
		.locale = options[5].value != NULL ? options[5].value : "en",
		.timezone = options[6].value != NULL ? options[6].value : "UTC" };
	if (!founding_is_valid(&founding))
		return 2;
	config = command_load_config();
	if (config == NULL)
		return 1;
	struct database *database = command_open_database(config);
	struct arena *arena = arena_create();
	const bool done = timezone_is_known(database, founding.timezone) && found(database, arena, &founding);
	if (done) {
		database_notify(database, OUTBOX_CHANNEL);
		print_invitation(arena, config, founding.org_id, founding.user_id, FOUNDING_GENERATION);
	}
	arena_free(&arena);
	database_free(&database);
	config_free(&config);
	return done ? 0 : 1;
}

/* A founder whose link has lapsed or was lost: the link before dies. */
static bool
reinvite(const struct config *config, struct database *database, struct arena *arena, const char *organization)
{
	struct database_result founder = database_run(database, &query_organization_founder,
		(const char *const[]){ organization });
	struct transition_details details = { .action = "user.invited" };
	struct transition transition;
	struct subject subject;

	if (founder.status != DATABASE_OK || PQntuples(founder.rows) == 0) {
		fprintf(stderr, "there is no pending administrator in an organization of this name\n");
		PQclear(founder.rows);
		return false;
	}
	const char *org_id = arena_copy(arena, row_text(founder.rows, 0, "org_id"));
	const char *user_id = arena_copy(arena, row_text(founder.rows, 0, "founder_id"));
	PQclear(founder.rows);
	struct database_result user = database_run(database, &query_user_load, (const char *const[]){ org_id, user_id });
	if (user.status != DATABASE_OK || PQntuples(user.rows) == 0)
		die("could not read the administrator");
	subject_from_row(&subject, arena, user.rows, 0);
	subject.state.is_founder = true;
	PQclear(user.rows);
	if (!lifecycle_decide(&subject.policy, &subject.state, EVENT_INVITE, &transition)) {
		fprintf(stderr, "could not invite: %s\n", transition.detail);
		return false;
	}
	struct transition_batch *batch = transition_batch_create(arena, org_id);
	transition_batch_add(batch, &subject, &transition, &details);
	struct database_result moved = database_run(database, &query_user_transition,
		transition_batch_params(batch, COMMAND_ACTOR));
	const bool done = moved.status == DATABASE_OK && PQntuples(moved.rows) == 1;
	if (done) {
		database_notify(database, OUTBOX_CHANNEL);
		print_invitation(arena, config, org_id, user_id, (uint32_t)row_int(moved.rows, 0, "invitation_generation"));
	}
	PQclear(moved.rows);
	return done;
}

static int
run_org_reinvite(int argc, char **argv)
{
	struct command_option options[] = { { "--slug", true }, { 0 } };
	struct config *config;

	if (!command_options_read(options, argc, argv))
		return 2;
	config = command_load_config();
	if (config == NULL)
		return 1;
	struct database *database = command_open_database(config);
	struct arena *arena = arena_create();
	const bool done = reinvite(config, database, arena, options[0].value);
	arena_free(&arena);
	database_free(&database);
	config_free(&config);
	return done ? 0 : 1;
}

static int
run_print_config(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return config_print(CONFIG_SERVER, stdout) ? 0 : 1;
}

static int
run_print_policies(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	policy_document_print(stdout);
	return 0;
}

static int
run_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("rollcall-server %s, schema %d\n", ROLLCALL_VERSION, migrations[migration_count - 1].version);
	return 0;
}

static const struct command {
	const char *word, *second;	/* second NULL: one word */
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "migrate", NULL, run_migrate, "[--dry-run]" },
	{ "org", "create", run_org_create,
		"--slug S --name N --admin-email E [--admin-username U] [--preset P] [--locale L] [--timezone T]" },
	{ "org", "reinvite-admin", run_org_reinvite, "--slug S" },
	{ "key", "create", key_create_run, "--org S --name N --permissions a,b [--expires-at T] [--network A,B]" },
	{ "key", "create", key_create_run, "--operator --name N [--expires-at T] [--network A,B]" },
	{ "key", "list", key_list_run, "--org S | --operator [--state active,expired,revoked]" },
	{ "key", "revoke", key_revoke_run, "--org S --id ID | --operator --id ID | --key KEY" },
	{ "--print-config", NULL, run_print_config, "" },
	{ "--print-policies", NULL, run_print_policies, "" },
	{ "--version", NULL, run_version, "" },
};

static int
print_help(FILE *out)
{
	fprintf(out, "rollcall-server serves; its other faces:\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  rollcall-server %s%s%s%s%s\n", commands[i].word, commands[i].second != NULL ? " " : "",
			commands[i].second != NULL ? commands[i].second : "", commands[i].help[0] != '\0' ? " " : "", commands[i].help);
	return out == stdout ? 0 : 2;
}

int
command_run(int argc, char **argv)
{
	if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "help") == 0)
		return print_help(stdout);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *command = &commands[i];
		const int words = command->second != NULL ? 2 : 1;
		if (argc >= words && strcmp(argv[0], command->word) == 0
			&& (words == 1 || strcmp(argv[1], command->second) == 0))
			return command->run(argc - words, argv + words);
	}
	return print_help(stderr);
}
