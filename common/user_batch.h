/*
 * user_batch: many operations on users at once, and an outcome for each.
 *
 * An operation is a proposal: the same fields and the same decisions as the request that it
 * would be alone, and the same statements write it, so nothing is allowed or refused here
 * that is not there. Only the reading and the writing are done for all of them together, in
 * rounds. The batch knows no connection; whoever drives it sends the statements:
 *
 *     load -> take_facts -> decide -> write -> settle -> (again, while it is open)
 *
 * What is always true: an operation that fails fails alone, unless the batch is atomic; then
 * all of it stands in one transaction, or nothing does. Who lost against somebody at the
 * same moment (a version, a name, the epoch of administrators) is read and decided
 * again, five times at most; the others stand.
 */
#ifndef ROLLCALL_USER_BATCH_H
#define ROLLCALL_USER_BATCH_H

#include "field.h"
#include "form.h"
#include "proposal.h"
#include "query.h"
#include "user_writing.h"
#include "uuid.h"

#define OPERATIONS_MAX 1000
#define BATCH_FACTS 4
#define BATCH_STATEMENTS_MAX (WRITING_STATEMENTS_MAX + 1)

enum operation_kind { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_ACTIVATE, OPERATION_INACTIVATE, OPERATION_INVITE };

/* What one of a kind is when it stands alone. */
struct operation_type {
	const char *word;
	int status;			/* of its success, as HTTP has it */
	const struct body_field *fields;
	proposal_step *const *decisions;
	const char *permission;		/* besides users:write; NULL: none */
	bool defers_faults;		/* the decisions answer them with their own */
};
extern const struct operation_type operation_types[];
extern const int operation_type_count;

struct operation {
	struct proposal pr;
	enum operation_kind kind;
	int form_faults;		/* that its body has whatever stands in the database: the first of pr.faults */
	const char *user_id;		/* whom it is about, as it was given; NULL: a new one, or none was */
	struct uuid uuid;		/* the same, where it is an id */
	bool is_over;			/* its outcome is known: */
	int status;			/* as HTTP has it; pr.problem is PROBLEM_NONE where it came to pass */
	bool changes_nothing;		/* an update that found everything as it wants it */
	bool is_taken_email, is_taken_username, is_taken_external_id, is_taken_role_name;
	bool is_in_batch, is_edited, is_moved;	/* by which statements of the round in flight */
	int losses;			/* how often it was decided and not written */
};

struct user_batch {
	struct proposal *origin;	/* who asks for all of it, and where texts live */
	bool is_atomic;
	bool is_sent;			/* there was something to write in this round */
	bool is_written;		/* some of it was committed */
	bool among_themselves;		/* the names that they want are compared with each other, too */
	int count, limit;		/* operations; and how many go into a round at most */
	int reducers;			/* in the round: who is an administrator no more */
	int constraints;		/* how often one failed a round */
	struct field_definitions *definitions;	/* read once for all; may be those of many batches */
	struct operation *operations;
};

struct user_batch *user_batch_create(struct proposal *origin, int count, bool is_atomic);
/* Fills in one that is zeroed. The body is the origin's to put, and is checked here. `user_id`
 * is NULL for who is made, or was forgotten; `if_version` NULL: any. */
void user_batch_propose(struct user_batch *batch, int place, enum operation_kind kind, struct json_object *body,
	const char *user_id, const char *if_version);
/* Ends those whose form leaves nothing to decide: faults, no such id, the second one on an id. */
void user_batch_check_form(struct user_batch *batch, int place);

/* The statements that read the facts of all that is open; BATCH_FACTS of them. */
void user_batch_load(struct user_batch *batch, struct statement *statements);
/* Gives each operation its own. The results stay the caller's, until the round was settled. */
void user_batch_take_facts(struct user_batch *batch, PGresult *const *facts);
/* Decides all that is open, as the origin's caller. */
void user_batch_decide(struct user_batch *batch);
/* Says of each that is open what writing it would do, as its outcome, and writes nothing. */
void user_batch_try(struct user_batch *batch);
/* The statements that write what was decided, in one transaction; how many, 0: there is
 * nothing to write in this round. */
int user_batch_write(struct user_batch *batch, struct statement *statements);

/* What became of that transaction. */
enum batch_outcome {
	BATCH_WRITTEN,
	BATCH_CONFLICT,		/* somebody was quicker: decide again */
	BATCH_CONSTRAINT,	/* `violated` names it */
	BATCH_UNAVAILABLE,	/* the database, for now */
	BATCH_FAILED,		/* anything else, logged already */
};
/* Settles every operation of the round; where there was nothing to write, whatever the outcome
 * says. Anything but PROBLEM_NONE: nothing was ever written, and
 * why nothing can be. What was written before a failure stands, and the rest has failed. */
enum problem user_batch_settle(struct user_batch *batch, enum batch_outcome outcome, const char *violated,
	PGresult *const *results, int count);
bool user_batch_is_open(const struct user_batch *batch);
bool user_batch_has_failed(const struct user_batch *batch);

/* The outcome of one, where it is not its own decisions that say it; `detail` may be NULL. */
void operation_refuse(struct operation *operation, enum problem problem, const char *detail);
/* Whom it made or was about; NULL where nobody is known. */
const char *operation_subject(const struct operation *operation);

#endif
