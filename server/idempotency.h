/*
 * idempotency: a request that is sent twice with one Idempotency-Key is done once (DESIGN.md §6).
 *
 * Whoever got no answer sends his request again, with the key that he chose, and gets the
 * answer of the first: the same object, as it is now. What is always true:
 *
 * - A key stands with what was done under it, or not at all: it is written in the effect's own
 *   transaction, and only where the audit has a line of that (sql/queries/idempotency.sql).
 * - It is looked up before anything is decided, and again before a refusal: the first may have
 *   been done just now, and what it did is what the second is refused for.
 * - Two at once: one has the key, the other's transaction waits for it, fails, and is answered
 *   as a repetition.
 *
 * A key belongs to its caller and its route, for 24 hours. Anonymous requests have none. An
 * operator's stands in the organization that the request is about, or founds.
 */
#ifndef ROLLCALL_IDEMPOTENCY_H
#define ROLLCALL_IDEMPOTENCY_H

#include "request.h"

struct idempotency;

/* Whether the answer that is being made is that of before. */
bool idempotency_repeats(const struct request *rq);

/* Steps of the prologue: before the body is read, and behind that; the answer of before, or NEXT. */
enum step idempotency_read(struct request *rq);
enum step idempotency_ask(struct request *rq);
enum step idempotency_take(struct request *rq);

/* Whether what is sent now is to be kept with a key, */
bool idempotency_wants_keeping(const struct request *rq);
/* and the statement for it, behind the effect's; `last` of them is what a repetition is
 * answered from, if it only reads. Its rows: one, if the key is kept. */
struct statement idempotency_keep(struct request *rq, const struct statement *last);
/* Says before an effect what a repetition is answered from, where no statement of the effect can. */
void idempotency_answer_from(struct request *rq, const struct query *query, const char *const *params);
void idempotency_kept(struct request *rq, const PGresult *kept);
/* What cannot be read again is kept as it is said: rq->reply, as a step before that which answers;
 * nothing hangs on whether it succeeds. */
enum step idempotency_keep_answer(struct request *rq);
/* What would be answered if nothing more came of the request, while it goes on: aside. Who has no
 * key that stands need not write it. */
bool idempotency_keeps_answer(const struct request *rq);
void idempotency_keep_so_far(struct request *rq);

/* The request is decided anew. */
void idempotency_restart(struct request *rq);

/* Before a refusal of a request with a key: whether it is to be looked for once more, */
bool idempotency_doubts(const struct request *rq, int status);
/* and doing so: WAIT, and then the answer of before, or the refusal. */
enum step idempotency_look_again(struct request *rq);

#endif
