/*
 * imports: files about users, on their way to becoming users: looking at them, and telling
 * the worker to apply or undo. How a file comes in is import_upload.h's.
 *
 * A route about {id} begins with import_load and import_take; import_case(rq) has the facts
 * then.
 */
#ifndef ROLLCALL_IMPORTS_H
#define ROLLCALL_IMPORTS_H

#include "body.h"
#include "policy.h"
#include "request.h"

struct import_case {
	const char *id;
	const char *state;
	bool is_own;			/* the caller made it */
	long long size;			/* of the file, in bytes */
	const char *missing;		/* numbers of parts, commas between; "" outside of `uploading` */
	bool has_effect;		/* something of it was applied */
	bool has_undone;		/* or undone */
	enum import_invites invites;	/* the policy */
};

struct import_case *import_case(struct request *rq);

/* Reads the import of {id}. */
enum step import_load(struct request *rq);
/* 404 without it. Fills rq->data, unless a step before has put its own struct there, whose
 * first member is the struct import_case. */
enum step import_take(struct request *rq);
/* Besides: 403 for everybody but who made it. */
enum step import_take_own(struct request *rq);
bool import_is(const struct import_case *import, const char *state);
/* The statement that reads it as the caller sees it. */
struct statement import_view(struct request *rq, const char *id);

extern const char *const import_list_parameters[];
extern request_step *const import_list_steps[];
extern request_step *const import_get_steps[];
extern const char *const import_row_list_parameters[];
extern request_step *const import_row_list_steps[];
extern const struct body_field import_apply_fields[];
extern request_step *const import_apply_steps[];
extern request_step *const import_undo_steps[];

#endif
