/*
 * Problems as answers (RFC 9457), with all faults that were found.
 *
 * What is said stands in the table of problem.c; a caller may add the policy that
 * refused, and a sentence that says it more exactly.
 */
#include "request.h"

#include "idempotency.h"

enum step
request_answer_refusal(struct request *rq)
{
	if (idempotency_doubts(rq, problem_text(rq->problem)->status))
		return idempotency_look_again(rq);
	if (rq->retry_after_s > 0)
		request_header(rq, "Retry-After", arena_printf(rq->scratch, "%d", rq->retry_after_s));
	buffer_clear(&rq->reply);
	proposal_write_problem(&rq->proposal, &rq->reply);
	rq->is_cacheable = false;
	return request_reply(rq, problem_text(rq->problem)->status, "application/problem+json");
}

enum step
request_decide(struct request *rq, proposal_step *const *steps)
{
	return proposal_decide(&rq->proposal, steps) ? STEP_NEXT : request_answer_refusal(rq);
}

enum step
request_check_match(struct request *rq, const char *tag)
{
	return proposal_check_match(&rq->proposal, tag) ? STEP_NEXT : request_answer_refusal(rq);
}

enum step
request_problem_detail(struct request *rq, enum problem problem, const char *policy, const char *detail)
{
	(void)proposal_refuse(&rq->proposal, problem, policy, detail);
	return request_answer_refusal(rq);
}

enum step
request_problem(struct request *rq, enum problem problem)
{
	return problem == PROBLEM_UNAVAILABLE ? request_problem_later(rq, problem, 1)
					      : request_problem_detail(rq, problem, NULL, NULL);
}

enum step
request_problem_later(struct request *rq, enum problem problem, int retry_after_s)
{
	(void)proposal_refuse_later(&rq->proposal, problem, retry_after_s);
	return request_answer_refusal(rq);
}

enum step
request_answer_faults(struct request *rq)
{
	return proposal_answer_faults(&rq->proposal) ? STEP_NEXT : request_answer_refusal(rq);
}
