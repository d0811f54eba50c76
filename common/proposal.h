/*
 * proposal: what somebody wants to become of a user, and what is to be said to it.
 *
 * A request of the API is one (server/request.h), each operation of a bulk is one, and so is
 * each row of an imported file. The decisions about users (user_creation.h, user_editing.h,
 * user_moving.h) see nothing else, so all three are allowed and refused the same.
 *
 * Who proposes something fills in the upper part and the facts, which were read from the
 * database for that decision; a decision either goes on, or says why not: the faults
 * of the body, or a problem. Texts live in `scratch`.
 */
#ifndef ROLLCALL_PROPOSAL_H
#define ROLLCALL_PROPOSAL_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "json.h"
#include "memory.h"
#include "permission.h"
#include "problem.h"

#define FAULTS_MAX 64
#define PROPOSAL_FACTS_MAX 10

enum caller_kind { CALLER_NOBODY, CALLER_USER, CALLER_API_KEY, CALLER_OPERATOR };

/* Who asks. */
struct caller {
	enum caller_kind kind;
	const char *id;			/* of the user or the key */
	const char *role_id;		/* NULL: none */
	const char *session_id;		/* NULL: an API key, or no request */
	const char *token_hash;
	const char *admin_epoch;	/* of the organization, when he was let in */
	const char *language;		/* that he reads: en, uk, ru; NULL: nobody is signed in */
	bool by_cookie;
	struct permission_set permissions;
};

/* One fault of a body or a query string; all are answered at once. */
struct fault {
	const char *pointer;	/* JSON Pointer, or the name of a parameter */
	const char *code;	/* DESIGN.md §6, errors[].code */
	const char *detail;
	const char *policy;	/* that asks for it; NULL: none */
};

struct field_set;

struct proposal {
	struct arena *scratch;
	const char *org_id;			/* bound to every query; NULL: an operator's key is of none */
	struct caller caller;
	const char *id, *ip;			/* of the request behind it, for the audit; NULL: none */
	struct json_object *body;
	const char *password_hash;		/* of the password that it brings, once it is known */
	const char *if_match;			/* the version as text, or several with blanks between, or "*"; NULL: none given */
	const char *if_none_match;		/* likewise, of what may not be there */
	bool is_of_oneself;			/* the user is the caller, and the fields are those of /v1/me */
	bool is_import;				/* a row of a file: not invite_on_create, but */
	bool invites;				/* whether the import invites whom it makes */
	bool restores;				/* what was there before: not what policies say of edits */

	/* The facts: statement i at results[i], of which the row rows[i] is meant, -1: none;
	 * `result` is the first. */
	const PGresult *result;
	PGresult *results[PROPOSAL_FACTS_MAX];
	int rows[PROPOSAL_FACTS_MAX];
	int result_count;
	bool is_one_of_many;			/* it shares the results with others */
	const struct field_set *fields;		/* the definitions among the facts, where they were read for many; NULL: not yet */

	void *data;				/* the decision's own: a struct user_case begins it */

	/* What is said to it. */
	struct fault faults[FAULTS_MAX];
	int fault_count;
	bool faults_in_query;
	enum problem problem;			/* PROBLEM_NONE: it goes on */
	const char *policy, *detail;		/* NULL: none refused; the problem's own */
	int retry_after_s;			/* 0: nothing to wait for */
};

/* A part of a decision. True: go on; false: it was refused, and `problem` says why. */
typedef bool proposal_step(struct proposal *pr) __attribute__((warn_unused_result));
/* All parts, until one refuses; the list ends with NULL. */
bool proposal_decide(struct proposal *pr, proposal_step *const *steps) __attribute__((warn_unused_result));

void proposal_fault(struct proposal *pr, const char *pointer, const char *code, const char *detail);
/* A fault that is one because of a policy. The problem names that of the first one. */
void proposal_fault_by(struct proposal *pr, const char *policy, const char *pointer, const char *code, const char *detail);
/* Each returns false, for `return proposal_refuse(pr, PROBLEM_X, NULL, NULL);`. */
bool proposal_refuse(struct proposal *pr, enum problem problem, const char *policy, const char *detail);
bool proposal_refuse_later(struct proposal *pr, enum problem problem, int retry_after_s);
/* A step: the faults that were found so far, if any, are the refusal. */
bool proposal_answer_faults(struct proposal *pr) __attribute__((warn_unused_result));
/* The problem as it is answered (RFC 9457), with all faults where they are what is wrong. */
void proposal_write_problem(const struct proposal *pr, struct buffer *out);

/* The body's string member, NULL when missing or null. Lives as long as the body. */
const char *proposal_text(const struct proposal *pr, const char *member);
/* Whether the body has the member, null or not. */
bool proposal_has(const struct proposal *pr, const char *member);
/* A text of the first (or n-th) fact by column; NULL for SQL NULL. */
const char *proposal_column(const struct proposal *pr, const char *name);
const char *proposal_value(const struct proposal *pr, int statement, const char *name);
/* What is the same for all that share a fact stands in its first row alone. */
const char *proposal_shared(const struct proposal *pr, int statement, const char *name);
int proposal_rows(const struct proposal *pr, int statement);

bool proposal_permits(const struct proposal *pr, const char *permission);
/* A step: the permission is there, or its lack is answered with why it is needed. */
bool proposal_require(struct proposal *pr, const char *permission, const char *because) __attribute__((warn_unused_result));
/* Whether the caller holds all of them, aside from the policy's default_permissions (text
 * of a text[]): those everybody may have, whoever makes or touches him. */
bool proposal_holds(const struct proposal *pr, const char *default_permissions, const struct permission_set *set);
/* Whether what is there is what the proposal is about (if_match, if_none_match); `tag` is its version,
 * NULL where nothing is. False: it was refused. */
bool proposal_check_match(struct proposal *pr, const char *tag) __attribute__((warn_unused_result));
/* Whether a password comes with it, or the hash of one. */
bool proposal_brings_password(const struct proposal *pr);

/* The actor of audit rows, as jsonb text. */
const char *proposal_actor(struct proposal *pr);
/* His kind alone: the column maker_kind of what he makes. */
const char *proposal_actor_kind(const struct proposal *pr);
/* An id for something that is made. */
const char *proposal_new_id(struct proposal *pr);
/* What was written, in scratch; the buffer is freed. */
const char *proposal_take_text(struct proposal *pr, struct buffer *text);

#endif
