/*
 * The number of a confirmation: made, and judged.
 */
#include "confirmation.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subject.h"

#define CODE_MIN 100000u
#define CODE_COUNT 900000u

const struct body_field confirmation_fields[] = {
	{ "code", BODY_TEXT, .is_required = true, .max = 20 },
	{ 0 },
};

const char *
confirmation_new_code(struct request *rq)
{
	uint32_t random;

	if (getentropy(&random, sizeof(random)) != 0)
		abort();
	return arena_printf(rq->scratch, "%u", CODE_MIN + random % CODE_COUNT);
}

enum step
confirmation_judge(struct request *rq, const PGresult *tried, enum problem dead)
{
	if (PQntuples(tried) == 0 || strcmp(row_text(tried, 0, "state"), "dead") == 0)
		return request_problem(rq, dead);
	if (!row_is_true(tried, 0, "is_right"))
		return request_problem(rq, PROBLEM_WRONG_CODE);
	return STEP_NEXT;
}
