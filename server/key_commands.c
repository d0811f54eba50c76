/*
 * rollcall-server key list | revoke: for the night in which one has leaked. Keys of organizations
 * and operators' keys alike. Making one is key_create_command.c's.
 *
 * What is always true: whatever is done to a key of an organization stands in its audit.
 */
#include "key_commands_priv.h"

#include <stdio.h>
#include <string.h>

#include "command_options.h"
#include "commands_priv.h"
#include "config.h"
#include "database.h"
#include "queries.h"
#include "reply.h"
#include "subject.h"
#include "token.h"

bool
key_command_complain(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return false;
}

static bool
find_organization(struct key_work *work, const char *name)
{
	struct uuid id;
	const bool is_id = uuid_parse(name, &id);
	struct database_result found = database_run(work->database, &query_organization_find,
		(const char *const[]){ is_id ? NULL : name, is_id ? name : NULL });
	const bool is_there = found.status == DATABASE_OK && PQntuples(found.rows) == 1;

	if (is_there)
		snprintf(work->org_id, sizeof(work->org_id), "%s", row_text(found.rows, 0, "id"));
	PQclear(found.rows);
	if (found.status == DATABASE_OK && !is_there)
		key_command_complain("there is no organization of this name");
	return is_there;
}

int
key_command_run(struct arena *arena, const struct key_wish *wish, key_command_act *act)
{
	struct config *config = command_load_config();
	bool done = false;

	if (config == NULL)
		return 1;
	struct key_work work = { .arena = arena, .database = command_open_database(config) };
	if (wish->organization == NULL || find_organization(&work, wish->organization))
		done = act(&work, wish);
	database_free(&work.database);
	config_free(&config);
	return done ? 0 : 1;
}

bool
key_command_has_one_owner(const struct key_wish *wish)
{
	if ((wish->organization != NULL) == wish->is_operator)
		return key_command_complain("give --org, or --operator for the keys of no organization");
	return true;
}

/* ---- list */

/* A line for each. */
static bool
list_keys(struct key_work *work, const struct key_wish *wish)
{
	const char *state = wish->state != NULL ? arena_printf(work->arena, "{%s}", wish->state) : NULL;
	struct database_result found = wish->is_operator
		? database_run(work->database, &query_operator_key_list, (const char *const[]){ state })
		: database_run(work->database, &query_api_key_list,
			(const char *const[]){ work->org_id, NULL, state, NULL, NULL, NULL, NULL });
	struct buffer line = BUFFER_INIT;

	for (int row = 0; found.status == DATABASE_OK && row < PQntuples(found.rows); row++) {
		buffer_clear(&line);
		reply_write_row(&line, found.rows, row);
		puts(buffer_text(&line));
	}
	buffer_free(&line);
	PQclear(found.rows);
	return found.status == DATABASE_OK;
}

static bool
state_is_valid(struct arena *arena, const char *state)
{
	char *rest = state != NULL ? arena_copy(arena, state) : NULL;

	for (char *word; (word = strsep(&rest, ",")) != NULL;) {
		if (strcmp(word, "active") != 0 && strcmp(word, "expired") != 0 && strcmp(word, "revoked") != 0)
			return key_command_complain("--state: active, expired, revoked, commas between them");
	}
	return true;
}

int
key_list_run(int argc, char **argv)
{
	struct command_option options[] = { { "--org" }, { "--operator", .is_flag = true }, { "--state" }, { 0 } };
	struct arena *arena = arena_create();
	int code = 2;

	if (command_options_read(options, argc, argv)) {
		const struct key_wish wish = { .organization = options[0].value, .is_operator = options[1].value != NULL,
			.state = options[2].value };
		if (key_command_has_one_owner(&wish) && state_is_valid(arena, wish.state))
			code = key_command_run(arena, &wish, list_keys);
	}
	arena_free(&arena);
	return code;
}

/* ---- revoke */

static bool
revoke_key(struct key_work *work, const struct key_wish *wish)
{
	char hash[TOKEN_HASH_SIZE], audit_id[UUID_TEXT_SIZE];

	if (wish->key != NULL)
		token_hash(wish->key, hash);
	uuid_make_text(audit_id);
	const char *key_hash = wish->key != NULL ? hash : NULL;
	struct database_result revoked = wish->is_operator
		? database_run(work->database, &query_operator_key_revoke, (const char *const[]){ wish->id, key_hash })
		: database_run(work->database, &query_api_key_revoke_found,
			(const char *const[]){ work->org_id, wish->id, key_hash, audit_id, COMMAND_ACTOR });
	const bool is_revoked = revoked.status == DATABASE_OK && PQntuples(revoked.rows) == 1;
	if (is_revoked)
		printf("{\"id\":\"%s\"}\n", row_text(revoked.rows, 0, "id"));
	else if (revoked.status == DATABASE_OK)
		key_command_complain("there is no such key, or it is revoked already");
	PQclear(revoked.rows);
	return is_revoked;
}

/* "-" stands for a line of standard input, which neither history nor process list show. */
static const char *
read_key(struct arena *arena, const char *key)
{
	char line[256];

	if (key == NULL || strcmp(key, "-") != 0)
		return key;
	if (fgets(line, sizeof(line), stdin) == NULL)
		return "";
	return arena_copy_n(arena, line, strcspn(line, " \t\r\n"));
}

/* The key itself says whose it is. */
static bool
take_key(struct arena *arena, struct key_wish *wish)
{
	char *owner = arena_take(arena, UUID_TEXT_SIZE);
	enum bearer_kind kind;
	struct uuid owner_id;

	if (wish->organization != NULL || wish->is_operator || wish->id != NULL)
		return key_command_complain("--key: the key says itself whose it is, give nothing else");
	if (!bearer_token_parse(wish->key, &kind, &owner_id) || kind == BEARER_SESSION)
		return key_command_complain("--key: this is no key; one begins with rck_ or rco_");
	uuid_format(&owner_id, owner);
	wish->is_operator = kind == BEARER_OPERATOR_KEY;
	wish->organization = wish->is_operator ? NULL : owner;
	return true;
}

static bool
revocation_is_valid(struct arena *arena, struct key_wish *wish)
{
	struct uuid id;

	if (wish->key != NULL)
		return take_key(arena, wish);
	bool good = key_command_has_one_owner(wish);
	if (wish->id == NULL || !uuid_parse(wish->id, &id))
		good = key_command_complain("--id: the id of a key, as rollcall-server key list prints it; or give --key");
	return good;
}

int
key_revoke_run(int argc, char **argv)
{
	struct command_option options[] = { { "--org" }, { "--operator", .is_flag = true }, { "--id" }, { "--key" }, { 0 } };
	struct arena *arena = arena_create();
	int code = 2;

	if (command_options_read(options, argc, argv)) {
		struct key_wish wish = { .organization = options[0].value, .is_operator = options[1].value != NULL,
			.id = options[2].value, .key = read_key(arena, options[3].value) };
		if (revocation_is_valid(arena, &wish))
			code = key_command_run(arena, &wish, revoke_key);
	}
	arena_free(&arena);
	return code;
}
