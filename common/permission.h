/*
 * permission: sets of words. `*` contains all (DESIGN.md §4, Containment).
 */
#ifndef ROLLCALL_PERMISSION_H
#define ROLLCALL_PERMISSION_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct permission_set {
	const char *const *words;	/* NULL when empty */
	size_t count;
};

/* Reads what PostgreSQL prints for a text[] ({a,b}); words live in the arena. NULL is
 * the empty set; text that is no such array aborts. */
struct permission_set permission_set_parse(struct arena *arena, const char *array);
bool permission_set_has(const struct permission_set *set, const char *word);
/* Whether `inner` holds nothing that `outer` does not. */
bool permission_set_contains(const struct permission_set *outer,
	const struct permission_set *inner);
/* users:write and roles:write: what makes an administrator of an active user. */
bool permission_set_administers(const struct permission_set *set);

#endif
