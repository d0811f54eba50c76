/*
 * changes: what a patch changes, as the audit tells it. All texts live in the arena.
 */
#ifndef ROLLCALL_CHANGES_H
#define ROLLCALL_CHANGES_H

struct arena;
struct json_object;

/* A value as JSON text. */
const char *changes_json(struct arena *arena, struct json_object *value);
/* {member: [before, after]} of every member of the patch that differs; "{}" when none
 * does. `before` is JSON text; NULL: there was nothing. */
const char *changes_of(struct arena *arena, const char *before, struct json_object *patch);

#endif
