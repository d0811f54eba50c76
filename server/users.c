/*
 * Users: create, get.
 *
 * A new user is one transaction: the bare row, his first transition (which brings
 * status, invitation, mail and audit) and the reading of what came of it.
 */
#include "users.h"

#include "body.h"
#include "reply.h"
#include "user_steps.h"
#include "user_structure.h"
#include "user_writing.h"

static enum step
user_create_load(struct request *rq)
{
	struct statement statements[2] = {
		{ &query_user_create_load, (const char *const[]){ rq->org_id, body_id(rq, "role_id") } },
	};
	int count = 1;

	count += user_structure_load(&rq->proposal, NULL, &statements[count]);
	return request_queries(rq, LANE_READ, statements, count);
}

static enum step
user_create_decide(struct request *rq)
{
	return request_decide(rq, user_create_decisions);
}

static enum step
user_create_record(struct request *rq)
{
	struct statement statements[WRITING_STATEMENTS_MAX + 2];
	struct user_writing writing;

	user_writing_open(&writing, &rq->proposal);
	user_create_write(&rq->proposal, &writing);
	int count = user_writing_take(&writing, &rq->proposal, statements);
	/* Where a guard leaves him out, neither his position nor his role comes to be. */
	const char *const whole[] = { rq->org_id, arena_printf(rq->scratch, "{%s}", user_case(rq)->subject.id) };
	statements[count++] = (struct statement){ &query_user_batch_keep_whole, whole };
	statements[count++] = user_view(rq, user_case(rq)->subject.id);
	return request_effects(rq, LANE_WRITE, statements, count);
}

static enum step
user_create_reply(struct request *rq)
{
	reply_location(rq, "/v1/users");
	return reply_created(rq);
}

request_step *const user_create_steps[] = {
	user_create_load, user_create_decide, user_hash_password, user_create_record, user_create_reply, NULL
};

static enum step
user_get(struct request *rq)
{
	const struct statement view = user_view(rq, rq->path_values[0]);

	return request_queries(rq, LANE_READ, &view, 1);
}

request_step *const user_get_steps[] = { user_get, reply_ok, NULL };
