/*
 * links: what is reached through a link in a mail: invitations and password resets.
 * (New e-mail addresses are email_changes.c's.)
 *
 * A token is verified without the database (common/token.h); the row then says
 * whether it is alive. Opening a link never consumes it.
 */
#ifndef ROLLCALL_LINKS_H
#define ROLLCALL_LINKS_H

#include "body.h"
#include "request.h"
#include "user_steps.h"

/* First member: user_case(rq) works for links too. */
struct link_case {
	struct user_case the;
	struct link link;
};

/* Verifies the body's token and sends `query` (org_id, user_id) for its subject; a
 * struct link_case is then in rq->data, its `the` still empty. */
enum step link_load(struct request *rq, enum link_purpose purpose, const struct query *query);
/* Who holds the link acts as the user whom it names. */
void link_act_as_subject(struct request *rq);

extern const struct body_field link_inspect_fields[];
extern const struct body_field link_password_fields[];

extern request_step *const invitation_inspect_steps[];
extern request_step *const invitation_accept_steps[];
extern request_step *const reset_inspect_steps[];
extern request_step *const reset_complete_steps[];

extern const char *const invitation_list_parameters[];
extern request_step *const invitation_list_steps[];

#endif
