/*
 * key_commands_priv: what the commands about keys share (key_commands.c, key_create_command.c).
 */
#ifndef ROLLCALL_KEY_COMMANDS_PRIV_H
#define ROLLCALL_KEY_COMMANDS_PRIV_H

#include <stdbool.h>

#include "json.h"
#include "memory.h"
#include "uuid.h"

struct database;

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

/* False: it was said why not. */
typedef bool key_command_act(struct key_work *work, const struct key_wish *wish);
/* Opens the database, finds the organization where one is meant, and does it. The exit code. */
int key_command_run(struct arena *arena, const struct key_wish *wish, key_command_act *act);

/* Of an organization, or of none: one of both is said. */
bool key_command_has_one_owner(const struct key_wish *wish);
/* On standard error; false. */
bool key_command_complain(const char *what);

#endif
