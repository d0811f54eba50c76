/*
 * rollcall-server key create: for whoever has no key yet. A key of an organization or an operator's.
 *
 * What is always true: a key is printed once, when it is made; that of an organization is made with
 * its line in the audit.
 */
#include "key_commands_priv.h"

#include <stdio.h>
#include <string.h>

#include "api_keys.h"
#include "changes.h"
#include "cidr.h"
#include "command_options.h"
#include "commands_priv.h"
#include "database.h"
#include "json.h"
#include "permission.h"
#include "queries.h"
#include "subject.h"
#include "text.h"

#define NETWORKS_MAX 32

/* ---- What the line says. */

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
	bool good = count <= NETWORKS_MAX || key_command_complain("--network: at most 32 of them");

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

/* ---- Making it. */

struct new_key {
	char id[UUID_TEXT_SIZE], token[BEARER_TOKEN_SIZE], hash[TOKEN_HASH_SIZE];
};

static bool
make_token(struct new_key *key, enum bearer_kind kind, const char *owner)
{
	struct uuid owner_id;

	uuid_make_text(key->id);
	if (!uuid_parse(owner != NULL ? owner : key->id, &owner_id))
		return key_command_complain("could not read an id of our own");
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
		key_command_complain("--expires-at: this moment has passed");
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

static bool
creation_is_valid(const struct key_wish *wish)
{
	bool good = key_command_has_one_owner(wish);

	if (!command_is_short_name(wish->name))
		good = key_command_complain("--name: a name of at most 200 characters, none of them a control character");
	if (wish->expires_at != NULL && !timestamp_is_valid(wish->expires_at))
		good = key_command_complain("--expires-at: a moment like 2027-01-31T00:00:00Z");
	if (!wish->is_operator && wish->permissions == NULL)
		good = key_command_complain("--permissions is needed");
	if (wish->is_operator && wish->permissions != NULL)
		good = key_command_complain("--permissions: an operator's key has none, it makes organizations");
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
			code = key_command_run(arena, &wish, make_key);
	}
	json_object_put(wish.permissions);
	json_object_put(wish.networks);
	arena_free(&arena);
	return code;
}
