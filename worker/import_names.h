/*
 * import_names: what files call by name, and the API by id: roles, groups, departments.
 */
#ifndef ROLLCALL_IMPORT_NAMES_H
#define ROLLCALL_IMPORT_NAMES_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

struct arena;

enum import_name_kind { NAME_ROLE, NAME_GROUP, NAME_DEPARTMENT, NAME_KIND_COUNT };

struct import_name {
	const char *folded, *text, *id;
};

struct import_names {
	struct import_name *lists[NAME_KIND_COUNT];	/* in the order of the folded names */
	size_t counts[NAME_KIND_COUNT];
};

/* From the rows of query_import_names; texts live in the arena. */
void import_names_read(struct import_names *names, struct arena *arena, const PGresult *rows);
/* The id of what is called so, in upper or lower case; of a department the path of names, or
 * the last of them where only one department has it. NULL: nothing is, or *is_ambiguous. */
const char *import_names_find(const struct import_names *names, enum import_name_kind kind, const char *name, bool *is_ambiguous);

#endif
