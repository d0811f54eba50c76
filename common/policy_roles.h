/*
 * policy_roles: the roles that each preset brings, and the fields that they require.
 *
 * Both are written as rows for preset_role_create and preset_field_create, which add
 * what an organization lacks, by name: for `org create`, and for one that takes up a
 * preset later.
 */
#ifndef ROLLCALL_POLICY_ROLES_H
#define ROLLCALL_POLICY_ROLES_H

struct buffer;

struct preset_role {
	const char *name;		/* NULL ends the list */
	const char *permissions;	/* JSON: ["users:read"] */
	const char *color;		/* NULL: none */
};
struct preset_field {
	const char *key;		/* NULL ends the list */
	const char *labels;		/* JSON: {"en":"Hub"} */
	const char *type;
	const char *roles;		/* JSON: names of those that require it */
};

/* The first is the founder's, and holds everything. NULL for an unknown preset. */
const struct preset_role *policy_preset_roles(const char *preset);
const struct preset_field *policy_preset_fields(const char *preset);

/* As JSON arrays, with ids of their own. The preset must be one. `founder_role_id` is the
 * id of the first role; NULL: one is made. */
void policy_write_preset_roles(struct buffer *out, const char *preset, const char *founder_role_id);
void policy_write_preset_fields(struct buffer *out, const char *preset);

#endif
