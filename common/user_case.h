/*
 * user_case: one user in a decision: the facts about him, and what is decided.
 */
#ifndef ROLLCALL_USER_CASE_H
#define ROLLCALL_USER_CASE_H

#include "proposal.h"
#include "subject.h"
#include "transition.h"

/* What a decision about one user works on; lives in the data of the proposal, or begins
 * what lives there. */
struct user_case {
	struct subject subject;
	struct transition transition;
	struct transition_details details;
	long invitations_this_hour, resets_this_hour, email_changes_this_hour;
	bool takes_administrator;	/* an edit makes him one no more */
};

struct user_case *user_case_of(const struct proposal *pr);

/* Takes the user from the first fact (query_user_load or user_batch_load): 404 without him;
 * 412 when if_match names another version. */
bool user_case_take(struct proposal *pr) __attribute__((warn_unused_result));
/* Besides: 403 when he holds more than the caller; 409 when only his id is left. */
bool user_case_take_to_change(struct proposal *pr) __attribute__((warn_unused_result));
/* Whether lifecycle allows the event; else it is the refusal. */
bool user_case_decide(struct proposal *pr, enum user_event event) __attribute__((warn_unused_result));
bool user_case_refuse(struct proposal *pr, const struct transition *transition);
/* Adds a fault for /password when it may not be used for this person, whose username is the
 * body's or the subject's. */
void user_case_check_password(struct proposal *pr, const struct policy *policy, const char *email,
	const char *first_name, const char *last_name);
/* A decision that mails a link needs users:invite, and no user gets more than 10
 * invitations, 3 reset links and 10 new addresses in an hour (DESIGN.md §8). */
bool user_case_check_mails(struct proposal *pr) __attribute__((warn_unused_result));
/* own_permissions of the body; empty when it has none. */
struct permission_set user_permissions_wanted(struct proposal *pr);

#define INVITATIONS_PER_HOUR 10
#define RESETS_PER_HOUR 3
#define EMAIL_CHANGES_PER_HOUR 10

#endif
