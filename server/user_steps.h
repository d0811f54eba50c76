/*
 * user_steps: steps that several routes about one user share.
 *
 * A route about {id} begins with user_load, user_take (or user_take_to_change): the
 * facts are then in user_case(rq). It decides with lifecycle_decide, records with
 * user_record and ends in a reply of the user as he is now.
 */
#ifndef ROLLCALL_USER_STEPS_H
#define ROLLCALL_USER_STEPS_H

#include "request.h"
#include "user_case.h"

struct user_case *user_case(struct request *rq);

/* Reads the user of {id}. */
enum step user_load(struct request *rq);
/* 404 without him; 412 when If-Match names another version. */
enum step user_take(struct request *rq);
/* Besides: 403 when he holds more than the caller; 409 when only his id is left. */
enum step user_take_to_change(struct request *rq);

/* STEP_NEXT where lifecycle allows the event. */
enum step user_decide(struct request *rq, enum user_event event);
/* The answer to a refusal. */
enum step user_refuse(struct request *rq, const struct transition *transition);
/* The statement that reads a user as the caller sees him. */
struct statement user_view(struct request *rq, const char *user_id);
/* Status, invitation, mail and audit change together, or not at all; the user as he is
 * afterwards comes back as the last statement. */
enum step user_record(struct request *rq);

/* STEP_NEXT, or the answer that the permission is missing and why it is needed. */
enum step user_require(struct request *rq, const char *permission, const char *because);
/* A step: hashes the body's password, where there is one; needs no reserved place. */
enum step user_hash_password(struct request *rq);

#endif
