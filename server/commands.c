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
#include "config.h"
#include "database.h"
#include "doctor.h"
#include "json.h"
#include "log.h"
#include "memory.h"
#include "policy.h"
#include "policy_document.h"
#include "policy_roles.h"
#include "queries.h"
#include "schema.h"
#include "text.h"
#include "token.h"
#include "transition.h"
#include "uuid.h"

#define COMMAND_TIMEOUT_MS 30000
#define NAME_MAX_CHARACTERS 200

static const char *const actor_operator = "{\"kind\":\"operator\"}";

static struct config *
load_config(void)
{
	struct config *config = config_load(CONFIG_SERVER);

	if (config != NULL)
		log_open(LOG_LEVEL_WARN, config->log_json, "server");
	return config;
}

static struct database *
open_database(const struct config *config)
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
	config = load_config();
	if (config == NULL)
		return 1;
	bool done = schema_migrate(config->migrate_database_url, config->database_url, options[0].value != NULL);
	config_free(&config);
	return done ? 0 : 1;
}

/* A new organization in the making. */
struct founding {
	const char *slug, *name, *email, *username, *preset, *locale, *timezone;
	char org_id[UUID_TEXT_SIZE], role_id[UUID_TEXT_SIZE], user_id[UUID_TEXT_SIZE];
};

static bool
preset_needs_username(const char *preset)
{
	const struct policy_preset_value *value = policy_preset(preset);

	for (; value != NULL && value->column != NULL; value++) {
		if (strcmp(value->column, "login_identifier") == 0)
			return strcmp(value->value, "username") == 0;
	}
	return false;
}

/* It stands in lists and in mails. */
static bool
is_short_name(const char *text)
{
	return name_is_valid(text) && utf8_length(text) <= NAME_MAX_CHARACTERS;
}

static bool
founding_is_valid(const struct founding *founding)
{
	bool good = true;

	struct { bool is_good; const char *what; } checks[] = {
		{ slug_is_valid(founding->slug), "--slug: 2 to 63 of a-z, 0-9 and -, beginning with a letter" },
		{ is_short_name(founding->name), "--name: a name of at most 200 characters, none of them a control character" },
		{ email_is_valid(founding->email), "--admin-email: an address that mail can be sent to" },
		{ founding->username == NULL || username_is_valid(founding->username),
			"--admin-username: letters, digits, dots, hyphens, underscores" },
		{ founding->username != NULL || !preset_needs_username(founding->preset),
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

/* The preset's policy as a row for policy_create. */
static const char *
policy_row(struct arena *arena, const struct policy_preset_value *preset)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset(&out, preset);
	const char *row = arena_copy(arena, buffer_text(&out));
	buffer_free(&out);
	return row;
}

/* The preset's roles and fields as rows; the first role is the founder's. */
static const char *
role_rows(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset_roles(&out, founding->preset, founding->role_id);
	const char *rows = arena_copy(arena, buffer_text(&out));
	buffer_free(&out);
	return rows;
}

static const char *
field_rows(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	policy_write_preset_fields(&out, founding->preset);
	const char *rows = arena_copy(arena, buffer_text(&out));
	buffer_free(&out);
	return rows;
}

static const char *
founder_row(struct arena *arena, const struct founding *founding)
{
	struct buffer out = BUFFER_INIT;

	buffer_puts(&out, "[{");
	json_write_string_member(&out, "id", founding->user_id);
	json_write_string_member(&out, "email", founding->email);
	if (founding->username != NULL)
		json_write_string_member(&out, "username", founding->username);
	json_write_string_member(&out, "first_name", "Administrator");
	json_write_string_member(&out, "last_name", founding->name);
	json_write_string_member(&out, "role_id", founding->role_id);
	buffer_puts(&out, "}]");
	const char *row = arena_copy(arena, buffer_text(&out));
	buffer_free(&out);
	return row;
}

/* The first administrator is invited like anybody; the link is printed, too. */
static const char *const *
founder_transition(struct arena *arena, const struct founding *founding)
{
	struct subject subject = { .id = founding->user_id, .version = "0",
		.state = { .status = STATUS_NONE, .has_email = true, .is_founder = true, .wants_invitation = -1 } };
	struct transition_details details = { .action = "user.created" };
	struct transition transition;

	policy_set_defaults(&subject.policy);
	if (!lifecycle_decide(&subject.policy, &subject.state, EVENT_CREATE, &transition))
		die("could not make the first administrator: %s", transition.detail);
	struct transition_batch *batch = transition_batch_create(arena, founding->org_id);
	transition_batch_add(batch, &subject, &transition, &details);
	return transition_batch_params(batch, actor_operator);
}

static void
print_invitation(const struct config *config, const char *org_id, const char *user_id, uint32_t generation)
{
	struct link link = { .purpose = LINK_INVITATION, .channel = CHANNEL_USER, .generation = generation };
	struct buffer out = BUFFER_INIT;
	char token[LINK_TOKEN_SIZE], url[1024];

	if (!uuid_parse(org_id, &link.org_id) || !uuid_parse(user_id, &link.subject_id))
		die("could not read an id of our own");
	link_token_make(config->keyring, &link, token);
	snprintf(url, sizeof(url), "%s/accept#%s", config->public_url, token);
	buffer_putc(&out, '{');
	json_write_string_member(&out, "organization_id", org_id);
	json_write_string_member(&out, "user_id", user_id);
	json_write_string_member(&out, "invitation_url", url);
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
found(struct database *database, struct arena *arena, const struct founding *founding)
{
	const char *policy = policy_row(arena, policy_preset(founding->preset));
	PGresult *results[6] = { NULL };
	const struct statement statements[] = {
		{ &query_organization_create, (const char *const[]){ founding->org_id, founding->slug, founding->name,
			founding->email, founding->locale, founding->timezone } },
		{ &query_policy_create, (const char *const[]){ founding->org_id, policy } },
		{ &query_preset_role_create, (const char *const[]){ founding->org_id, role_rows(arena, founding), actor_operator } },
		{ &query_preset_field_create, (const char *const[]){ founding->org_id, field_rows(arena, founding), actor_operator } },
		{ &query_user_insert, (const char *const[]){ founding->org_id, founder_row(arena, founding) } },
		{ &query_user_transition, founder_transition(arena, founding) },
	};
	enum database_status status = database_run_together(database, statements, 6, results);

	for (int i = 0; i < 6; i++)
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
	config = load_config();
	if (config == NULL)
		return 1;
	uuid_make_text(founding.org_id);
	uuid_make_text(founding.role_id);
	uuid_make_text(founding.user_id);
	struct database *database = open_database(config);
	struct arena *arena = arena_create();
	const bool done = timezone_is_known(database, founding.timezone) && found(database, arena, &founding);
	if (done) {
		database_notify(database, OUTBOX_CHANNEL);
		print_invitation(config, founding.org_id, founding.user_id, 1);
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
		transition_batch_params(batch, actor_operator));
	const bool done = moved.status == DATABASE_OK && PQntuples(moved.rows) == 1;
	if (done) {
		database_notify(database, OUTBOX_CHANNEL);
		print_invitation(config, org_id, user_id, (uint32_t)row_int(moved.rows, 0, "invitation_generation"));
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
	config = load_config();
	if (config == NULL)
		return 1;
	struct database *database = open_database(config);
	struct arena *arena = arena_create();
	const bool done = reinvite(config, database, arena, options[0].value);
	arena_free(&arena);
	database_free(&database);
	config_free(&config);
	return done ? 0 : 1;
}

/* "a,b" as a PostgreSQL array; NULL, said on standard error, when a word is none. */
static const char *
permission_array(struct arena *arena, const char *list)
{
	char *rest = arena_copy(arena, list);

	for (char *word; (word = strsep(&rest, ",")) != NULL;) {
		if (!permission_is_valid(word)) {
			fprintf(stderr, "--permissions: not a permission: %s\n", word);
			return NULL;
		}
	}
	return arena_printf(arena, "{%s}", list);
}

struct new_key {
	const char *organization, *name, *permissions, *expires_at;
};

static bool
make_key(struct database *database, const struct new_key *wanted)
{
	struct uuid org_id;
	const bool is_id = uuid_parse(wanted->organization, &org_id);
	struct database_result org = database_run(database, &query_organization_find,
		(const char *const[]){ is_id ? NULL : wanted->organization, is_id ? wanted->organization : NULL });
	char id[UUID_TEXT_SIZE], audit_id[UUID_TEXT_SIZE], token[BEARER_TOKEN_SIZE], hash[TOKEN_HASH_SIZE];

	if (org.status != DATABASE_OK || PQntuples(org.rows) == 0 || !uuid_parse(row_text(org.rows, 0, "id"), &org_id)) {
		fprintf(stderr, "there is no organization of this name\n");
		PQclear(org.rows);
		return false;
	}
	bearer_token_make(BEARER_API_KEY, &org_id, token);
	token_hash(token, hash);
	uuid_make_text(id);
	uuid_make_text(audit_id);
	struct database_result made = database_run(database, &query_api_key_create, (const char *const[]){
		row_text(org.rows, 0, "id"), id, hash, wanted->name, wanted->permissions, wanted->expires_at, audit_id,
		actor_operator });
	const bool is_over = made.status == DATABASE_OK && PQntuples(made.rows) == 0;
	PQclear(org.rows);
	PQclear(made.rows);
	if (is_over)
		fprintf(stderr, "--expires-at: this moment has passed\n");
	if (is_over || made.status != DATABASE_OK)
		return false;
	printf("{\"id\":\"%s\",\"key\":\"%s\"}\n", id, token);
	return true;
}

static int
run_key_create(int argc, char **argv)
{
	struct command_option options[] = {
		{ "--org", true }, { "--name", true }, { "--permissions", true }, { "--expires-at" }, { 0 },
	};
	struct arena *arena = arena_create();
	struct config *config = NULL;
	int code = 2;

	if (!command_options_read(options, argc, argv))
		goto out;
	struct new_key wanted = { options[0].value, options[1].value, permission_array(arena, options[2].value),
		options[3].value };
	if (!is_short_name(wanted.name)) {
		fprintf(stderr, "--name: a name of at most 200 characters, none of them a control character\n");
		goto out;
	}
	if (wanted.expires_at != NULL && !timestamp_is_valid(wanted.expires_at)) {
		fprintf(stderr, "--expires-at: a moment like 2027-01-31T00:00:00Z\n");
		goto out;
	}
	if (wanted.permissions == NULL)
		goto out;
	code = 1;
	config = load_config();
	if (config == NULL)
		goto out;
	struct database *database = open_database(config);
	code = make_key(database, &wanted) ? 0 : 1;
	database_free(&database);
out:
	config_free(&config);
	arena_free(&arena);
	return code;
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
	{ "key", "create", run_key_create, "--org S --name N --permissions a,b [--expires-at T]" },
	{ "doctor", NULL, doctor_run, "[--json] [--servers N] [--workers N]" },
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
