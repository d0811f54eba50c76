/*
 * Problems as answers (RFC 9457), with all faults that were found.
 *
 * What is said stands in the table of problem.c; a caller may add the policy that
 * refused, and a sentence that says it more exactly.
 */
#include "request.h"

static void
write_faults(struct request *rq, struct buffer *out)
{
	json_write_name(out, "errors");
	buffer_putc(out, '[');
	for (int i = 0; i < rq->fault_count; i++) {
		const struct fault *fault = &rq->faults[i];
		json_write_separator(out);
		buffer_putc(out, '{');
		json_write_string_member(out, rq->faults_in_query ? "parameter" : "pointer", fault->pointer);
		json_write_string_member(out, "code", fault->code);
		json_write_string_member(out, "detail", fault->detail);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

enum step
request_problem_detail(struct request *rq, enum problem problem, const char *policy, const char *detail)
{
	const struct problem_text *text = problem_text(problem);
	struct buffer *out = &rq->reply;

	buffer_clear(out);
	buffer_putc(out, '{');
	json_write_string_member(out, "type", "about:blank");
	json_write_string_member(out, "title", text->title);
	json_write_int_member(out, "status", text->status);
	json_write_string_member(out, "detail", detail != NULL ? detail : text->detail);
	json_write_string_member(out, "code", text->code);
	if (policy != NULL)
		json_write_string_member(out, "policy", policy);
	if (rq->fault_count > 0 && (problem == PROBLEM_INVALID_BODY || problem == PROBLEM_INVALID_QUERY || problem == PROBLEM_DUPLICATE_ID))
		write_faults(rq, out);
	buffer_putc(out, '}');
	rq->is_cacheable = false;
	return request_reply(rq, text->status, "application/problem+json");
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
	request_header(rq, "Retry-After", arena_printf(rq->scratch, "%d", retry_after_s > 0 ? retry_after_s : 1));
	return request_problem_detail(rq, problem, NULL, NULL);
}

enum step
request_answer_faults(struct request *rq)
{
	if (rq->fault_count == 0)
		return STEP_NEXT;
	return request_problem(rq, rq->faults_in_query ? PROBLEM_INVALID_QUERY : PROBLEM_INVALID_BODY);
}
