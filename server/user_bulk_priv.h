/*
 * What the files of user_bulk share: a bulk, and the operations in it.
 */
#ifndef ROLLCALL_USER_BULK_PRIV_H
#define ROLLCALL_USER_BULK_PRIV_H

#include "body.h"
#include "request.h"
#include "user_steps.h"
#include "user_writing.h"

#define OPERATIONS_MAX 1000
#define OPERATIONS_WITH_PASSWORD_MAX 50

enum operation_kind { OPERATION_CREATE, OPERATION_UPDATE, OPERATION_ACTIVATE, OPERATION_INACTIVATE, OPERATION_INVITE };

/* What one of a kind is when it stands alone. */
struct operation_type {
	const char *word;
	int status;			/* of its success */
	const struct body_field *fields;
	request_step *const *decisions;
	const char *permission;		/* besides that of the route; NULL: none */
	bool defers_faults;		/* the decisions answer them with their own */
};
extern const struct operation_type operation_types[];
extern const int operation_type_count;

/* One operation: the request that it would be alone, whose answer is kept, not sent. */
struct operation {
	struct request rq;
	enum operation_kind kind;
	struct json_object *body;	/* without op, id and if_version */
	int form_faults;		/* that its body has whatever stands in the database: the first of rq.faults */
	const char *user_id;		/* whom it is about, as it was given; NULL: a new one, or none was */
	struct uuid uuid;
	bool is_duplicate;
	bool is_over;			/* its outcome is known: */
	int status;
	const char *problem;		/* NULL: it came to pass */
	bool is_taken_email, is_taken_username, is_taken_external_id;
	const struct hash_result *hash;	/* of its password, once it has been made */
	bool is_in_batch, is_edited, is_moved;	/* by which statements of the batch in flight */
	int losses;			/* how often it was decided and not written */
};

struct bulk {
	bool is_atomic;
	bool is_sent;			/* there was something to write in this round */
	bool is_written;		/* some of it was committed */
	bool among_themselves;		/* the names that they want are compared with each other, too */
	int count, limit;		/* operations; and how many go into a batch at most */
	int reducers;			/* in the batch: who is an administrator no more */
	int constraints;		/* how often one failed a batch */
	struct operation *operations;
};

/* The outcome of one, where it is not its own steps that answer; `detail` may be NULL. */
void operation_refuse(struct operation *operation, enum problem problem, const char *detail);
void operation_succeed(struct operation *operation);

/* The steps, in their order (user_bulk.c), and what they share. */
enum step user_bulk_begin(struct request *rq);
/* Sends for the facts of everything that is not over; then gives each its own. */
enum step user_bulk_load(struct request *rq);
void user_bulk_share(struct request *rq, struct bulk *bulk);
bool user_bulk_has_failed(const struct bulk *bulk);
/* One failure of an atomic request is the failure of all. */
void user_bulk_apply_nothing(struct bulk *bulk);
enum step user_bulk_write(struct request *rq);
/* Begins another round while something is open. */
enum step user_bulk_settle(struct request *rq);

#endif
