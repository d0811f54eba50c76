/*
 * user_steps: steps that several routes about one user share.
 *
 * A route about {id} begins with user_load, user_take (or user_take_to_change): the
 * facts are then in user_case(rq). It decides with lifecycle_decide, records with
 * user_record and ends in a reply of the user as he is now.
 */
#ifndef ROLLCALL_USER_STEPS_H
#define ROLLCALL_USER_STEPS_H

#include "problem.h"
#include "request.h"
#include "subject.h"
#include "transition.h"

/* What a route about one user works on; lives in rq->data. */
struct user_case {
	struct subject subject;
	struct transition transition;
	struct transition_details details;
	long invitations_this_hour, resets_this_hour, email_changes_this_hour;
	bool takes_administrator;	/* an edit makes him one no more */
};

struct user_case *user_case(struct request *rq);

/* Reads the user of {id}. */
enum step user_load(struct request *rq);
/* 404 without him; 412 when If-Match names another version. */
enum step user_take(struct request *rq);
/* Besides: 403 when he holds more than the caller; 409 when only his id is left. */
enum step user_take_to_change(struct request *rq);

/* Whether lifecycle allows the event; *step is the answer otherwise. */
bool user_decide(struct request *rq, enum user_event event, enum step *step);
/* The answer to a refusal. */
enum step user_refuse(struct request *rq, const struct transition *transition);
/* Adds a fault for /password when it may not be used for this person, whose username is the
 * body's or the subject's. */
void user_check_password(struct request *rq, const struct policy *policy, const char *email,
	const char *first_name, const char *last_name);
/* The statement that reads a user as the caller sees him. */
struct statement user_view(struct request *rq, const char *user_id);
/* Status, invitation, mail and audit change together, or not at all; the user as he is
 * afterwards comes back as the last statement. */
enum step user_record(struct request *rq);

/* STEP_NEXT, or the answer that the permission is missing and why it is needed. */
enum step user_require(struct request *rq, const char *permission, const char *because);
/* A decision that mails a link needs users:invite, and no user gets more than 10
 * invitations, 3 reset links and 10 new addresses in an hour (DESIGN.md §8). */
enum step user_check_mails(struct request *rq);
/* A step: hashes the body's password, where there is one; needs no reserved place. */
enum step user_hash_password(struct request *rq);
/* Whether the caller holds all of them, aside from the policy's default_permissions (text
 * of a text[]): those everybody may have, whoever makes or touches him. */
bool user_holds(const struct request *rq, const char *default_permissions, const struct permission_set *set);
/* own_permissions of the body; empty when it has none. */
struct permission_set user_permissions_wanted(struct request *rq);

#define INVITATIONS_PER_HOUR 10
#define RESETS_PER_HOUR 3
#define EMAIL_CHANGES_PER_HOUR 10

#endif
