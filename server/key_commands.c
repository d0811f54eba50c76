/*
 * rollcall-server key create | list | revoke: for whoever has no key yet, and for the night in
 * which one has leaked. Keys of organizations and operators' keys alike.
 *
 * What is always true: a key is printed once, when it is made; whatever is done to a key of an
 * organization stands in its audit.
 */
#include "commands_priv.h"

#include <stdio.h>
#include <string.h>

#include "api_keys.h"
#include "changes.h"
#include "cidr.h"
#include "command_options.h"
#include "config.h"
#include "database.h"
#include "reply.h"
#include "subject.h"
#include "text.h"

#define NETWORKS_MAX 32

/* What the line says; NULL: not said. */
struct key_wish {
	bool is_operator;
	const char *organization, *name, *expires_at, *state, *id, *key;
	struct json_object *permissions, *networks;	/* arrays */
};

/* What a key command is about, once it is found. */
struct key_work {
	struct arena *arena;
	struct database *database;
	char org_id[UUID_TEXT_SIZE];	/* "" for operators' keys */
};

static bool
complain(const char *what)
{
	fprintf(stderr, "%s\n", what);
	return false;
}

/* The words of "a,b" as an array. */
static struct json_object *
read_words(struct arena *arena, const char *list)
{
	struct json_object *words = json_object_new_array();
	char *rest = arena_copy(arena, list);

	for (char *word; (word = strsep(&rest, ",")) != NULL;)
		json_object_array_add(words, json_object_new_string(word));
	return words;
}

static const char *
word_at(struct json_object *words, size_t i)
{
	return json_object_get_string(json_object_array_get_idx(words, i));
}

static bool
permissions_are_valid(struct json_object *words)
{
	bool good = true;

	for (size_t i = 0; i < json_object_array_length(words); i++) {
		if (!permission_is_valid(word_at(words, i))) {
			fprintf(stderr, "--permissions: not a permission: %s\n", word_at(words, i));
			good = false;
		}
	}
	return good;
}

/* Each in its one spelling. */
static bool
take_networks(struct json_object *words)
{
	const size_t count = json_object_array_length(words);
	char detail[CIDR_FAULT_SIZE], canonical[CIDR_TEXT_SIZE];
	bool good = count <= NETWORKS_MAX || complain("--network: at most 32 of them");

	for (size_t i = 0; i < count; i++) {
		if (cidr_fault(word_at(words, i), detail)) {
			fprintf(stderr, "--network: %s: %s\n", word_at(words, i), detail);
			good = false;
		} else if (cidr_parse(word_at(words, i), canonical) == CIDR_GOOD) {
			json_object_array_put_idx(words, i, json_object_new_string(canonical));
		}
	}
	return good;
}

/* An array of words that hold nothing that PostgreSQL would want quoted. */
static const char *
array_text(struct arena *arena, struct json_object *words)
{
	const char *text = "";

	if (words == NULL)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(words); i++)
		text = arena_printf(arena, "%s%s%s", text, i > 0 ? "," : "", word_at(words, i));
	return arena_printf(arena, "{%s}", text);
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
		complain("there is no organization of this name");
	return is_there;
}

/* Opens the database, finds the organization where one is meant, and does it. */
static int
run(struct arena *arena, const struct key_wish *wish, bool (*act)(struct key_work *work, const struct key_wish *wish))
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

/* ---- create */

struct new_key {
	char id[UUID_TEXT_SIZE], token[BEARER_TOKEN_SIZE], hash[TOKEN_HASH_SIZE];
};

static bool
make_token(struct new_key *key, enum bearer_kind kind, const char *owner)
{
	struct uuid owner_id;

	uuid_make_text(key->id);
	if (!uuid_parse(owner != NULL ? owner : key->id, &owner_id))
		return complain("could not read an id of our own");
	bearer_token_make(kind, &owner_id, key->token);
	token_hash(key->token, key->hash);
	return true;
}

/* What was made, or why not: `rows` has a row for a key that was made. */
static bool
print_key(const struct new_key *key, struct database_result made)
{
	const bool is_made = made.status == DATABASE_OK && PQntuples(made.rows) == 1;

	PQclear(made.rows);
	if (is_made)
		printf("{\"id\":\"%s\",\"key\":\"%s\"}\n", key->id, key->token);
	else if (made.status == DATABASE_OK)
		complain("--expires-at: this moment has passed");
	return is_made;
}

static bool
make_operator_key(struct key_work *work, const struct key_wish *wish)
{
	struct new_key key;

	if (!make_token(&key, BEARER_OPERATOR_KEY, NULL))
		return false;
	return print_key(&key, database_run(work->database, &query_operator_key_create, (const char *const[]){
		key.id, key.hash, bearer_token_hint(key.token), wish->name, wish->expires_at, array_text(work->arena, wish->networks) }));
}

static struct json_object *
body_of(const struct key_wish *wish)
{
	struct json_object *body = json_object_new_object();

	json_object_object_add(body, "name", json_object_new_string(wish->name));
	json_object_object_add(body, "permissions", json_object_get(wish->permissions));
	if (wish->expires_at != NULL)
		json_object_object_add(body, "expires_at", json_object_new_string(wish->expires_at));
	if (wish->networks != NULL)
		json_object_object_add(body, "networks", json_object_get(wish->networks));
	return body;
}

static bool
make_api_key(struct key_work *work, const struct key_wish *wish)
{
	const char *limit = arena_printf(work->arena, "%d", API_KEYS_MAX);
	struct json_object *body = body_of(wish);
	PGresult *results[2] = { NULL };
	char audit_id[UUID_TEXT_SIZE];
	struct new_key key;

	uuid_make_text(audit_id);
	if (!make_token(&key, BEARER_API_KEY, work->org_id))
		return false;
	const struct statement statements[] = {
		{ &query_api_key_lock, (const char *const[]){ work->org_id } },
		{ &query_api_key_create, (const char *const[]){ work->org_id, key.id, key.hash, bearer_token_hint(key.token), limit,
			NULL, changes_json(work->arena, body), audit_id, COMMAND_ACTOR, changes_of(work->arena, NULL, body) } },
	};
	const enum database_status status = database_run_together(work->database, statements, 2, results);
	PQclear(results[0]);
	json_object_put(body);
	return print_key(&key, (struct database_result){ .status = status, .rows = results[1] });
}

static bool
has_room(struct key_work *work, const struct key_wish *wish)
{
	struct database_result judged = database_run(work->database, &query_api_key_judge,
		(const char *const[]){ work->org_id, NULL, wish->expires_at, NULL, NULL, "false", "false" });
	const bool is_full = judged.status == DATABASE_OK && row_int(judged.rows, 0, "standing") >= API_KEYS_MAX;

	PQclear(judged.rows);
	if (is_full)
		fprintf(stderr, "the organization has %d keys that are not revoked: revoke one first\n", API_KEYS_MAX);
	return judged.status == DATABASE_OK && !is_full;
}

static bool
make_key(struct key_work *work, const struct key_wish *wish)
{
	if (wish->is_operator)
		return make_operator_key(work, wish);
	return has_room(work, wish) && make_api_key(work, wish);
}

/* Of an organization, or of none: one of both is said. */
static bool
has_one_owner(const struct key_wish *wish)
{
	if ((wish->organization != NULL) == wish->is_operator)
		return complain("give --org, or --operator for the keys of no organization");
	return true;
}

static bool
creation_is_valid(const struct key_wish *wish)
{
	bool good = has_one_owner(wish);

	if (!command_is_short_name(wish->name))
		good = complain("--name: a name of at most 200 characters, none of them a control character");
	if (wish->expires_at != NULL && !timestamp_is_valid(wish->expires_at))
		good = complain("--expires-at: a moment like 2027-01-31T00:00:00Z");
	if (!wish->is_operator && wish->permissions == NULL)
		good = complain("--permissions is needed");
	if (wish->is_operator && wish->permissions != NULL)
		good = complain("--permissions: an operator's key has none, it makes organizations");
	if (wish->permissions != NULL && !permissions_are_valid(wish->permissions))
		good = false;
	if (wish->networks != NULL && !take_networks(wish->networks))
		good = false;
	return good;
}

int
key_create_run(int argc, char **argv)
{
	struct command_option options[] = {
		{ "--name", true }, { "--org" }, { "--operator", .is_flag = true }, { "--permissions" }, { "--expires-at" },
		{ "--network" }, { 0 },
	};
	struct arena *arena = arena_create();
	struct key_wish wish = { 0 };
	int code = 2;

	if (command_options_read(options, argc, argv)) {
		wish = (struct key_wish){ .name = options[0].value, .organization = options[1].value,
			.is_operator = options[2].value != NULL, .expires_at = options[4].value,
			.permissions = options[3].value != NULL ? read_words(arena, options[3].value) : NULL,
			.networks = options[5].value != NULL ? read_words(arena, options[5].value) : NULL };
		if (creation_is_valid(&wish))
			code = run(arena, &wish, make_key);
	}
	json_object_put(wish.permissions);
	json_object_put(wish.networks);
	arena_free(&arena);
	return code;
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
			return complain("--state: active, expired, revoked, commas between them");
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
		if (has_one_owner(&wish) && state_is_valid(arena, wish.state))
			code = run(arena, &wish, list_keys);
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
		complain("there is no such key, or it is revoked already");
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
		return complain("--key: the key says itself whose it is, give nothing else");
	if (!bearer_token_parse(wish->key, &kind, &owner_id) || kind == BEARER_SESSION)
		return complain("--key: this is no key; one begins with rck_ or rco_");
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
	bool good = has_one_owner(wish);
	if (wish->id == NULL || !uuid_parse(wish->id, &id))
		good = complain("--id: the id of a key, as rollcall-server key list prints it; or give --key");
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
			code = run(arena, &wish, revoke_key);
	}
	arena_free(&arena);
	return code;
}
