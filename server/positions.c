/*
 * Positions: the titles that people may have.
 *
 * A position is no place in the tree of departments: who is given one is in no department
 * for it (S1-25). One that somebody has is not deleted.
 */
#include "positions.h"

const struct body_field position_create_fields[] = {
	{ "title", BODY_NAME, .is_required = true },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field position_edit_fields[] = {
	{ "title", BODY_NAME },
	{ "users", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct resource positions = {
	.path = "/v1/positions",
	.list = &query_position_list, .count = &query_position_count, .get = &query_position_get,
	.create = &query_position_create, .edit = &query_position_edit, .remove = &query_position_remove,
};
