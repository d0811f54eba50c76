/*
 * user_structure: the department, position, groups and kind in the body of a user.
 *
 * The hooks of his making (users.c) and his editing (user_edit.c), in the order in which
 * they are called. What a body does not mention costs nothing.
 */
#ifndef ROLLCALL_USER_STRUCTURE_H
#define ROLLCALL_USER_STRUCTURE_H

#include "policy.h"
#include "proposal.h"
#include "query.h"

#define GROUPS_OF_USER_MAX 50

/* Adds the statement that reads what the body names, if it names anything; how many were
 * added. `user_id` is NULL for a new one. */
int user_structure_load(struct proposal *pr, const char *user_id, struct statement *statement);
/* The same for one of many: an element of the list of what is to be read, if the body names
 * anything. */
bool user_structure_names_anything(struct proposal *pr);
void user_structure_write_named(struct proposal *pr, const char *user_id, int place, struct buffer *named);
/* Needs the results of that. `kind_before` is NULL for a new one. */
void user_structure_find_faults(struct proposal *pr, const struct policy *policy, const char *kind_before);

/* A new user: members of his row and of its audit row, and the position to make before it,
 * if nobody has heard of it yet. */
void user_structure_write_row(struct proposal *pr, struct buffer *row, struct buffer *changes);
void user_structure_make_position(struct proposal *pr, struct buffer *positions);
/* An edit: members of its patch and of its audit row. */
void user_structure_collect(struct proposal *pr, struct buffer *patch, struct buffer *changes);

#endif
