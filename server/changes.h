/*
 * changes: what a patch changes, as the audit tells it. All texts live in scratch.
 */
#ifndef ROLLCALL_CHANGES_H
#define ROLLCALL_CHANGES_H

#include "request.h"

/* A row as JSON text, as a reply shows it. */
const char *changes_row(struct request *rq, const PGresult *rows, int row);
/* A value as JSON text. */
const char *changes_json(struct request *rq, struct json_object *value);
/* {member: [before, after]} of every member of the patch that differs; "{}" when none
 * does. `before` is JSON text; NULL: there was nothing. */
const char *changes_of(struct request *rq, const char *before, struct json_object *patch);

#endif
