/*
 * What decisions about users ask of a proposal, and how they answer it.
 *
 * What is always true: what is refused has one problem, and nothing that comes behind the
 * refusal changes it.
 */
#include "proposal.h"

#include <assert.h>
#include <string.h>

#include "entity_tag.h"
#include "policy.h"
#include "uuid.h"

bool
proposal_decide(struct proposal *pr, proposal_step *const *steps)
{
	for (; *steps != NULL; steps++) {
		if (!(*steps)(pr))
			return false;
	}
	return true;
}

void
proposal_fault(struct proposal *pr, const char *pointer, const char *code, const char *detail)
{
	proposal_fault_by(pr, NULL, pointer, code, detail);
}

void
proposal_fault_by(struct proposal *pr, const char *policy, const char *pointer, const char *code, const char *detail)
{
	if (pr->fault_count < FAULTS_MAX)
		pr->faults[pr->fault_count++] = (struct fault){ pointer, code, detail, policy };
}

bool
proposal_refuse(struct proposal *pr, enum problem problem, const char *policy, const char *detail)
{
	pr->problem = problem;
	pr->policy = policy;
	pr->detail = detail;
	pr->retry_after_s = 0;
	return false;
}

bool
proposal_refuse_later(struct proposal *pr, enum problem problem, int retry_after_s)
{
	(void)proposal_refuse(pr, problem, NULL, NULL);
	pr->retry_after_s = retry_after_s > 0 ? retry_after_s : 1;
	return false;
}

bool
proposal_answer_faults(struct proposal *pr)
{
	const char *policy = NULL;

	if (pr->fault_count == 0)
		return true;
	for (int i = 0; i < pr->fault_count && policy == NULL; i++)
		policy = pr->faults[i].policy;
	return proposal_refuse(pr, pr->faults_in_query ? PROBLEM_INVALID_QUERY : PROBLEM_INVALID_BODY, policy, NULL);
}

static bool
is_about_faults(enum problem problem)
{
	return problem == PROBLEM_INVALID_BODY || problem == PROBLEM_INVALID_QUERY || problem == PROBLEM_DUPLICATE_ID;
}

static void
write_faults(const struct proposal *pr, struct buffer *out)
{
	json_write_name(out, "errors");
	buffer_putc(out, '[');
	for (int i = 0; i < pr->fault_count; i++) {
		const struct fault *fault = &pr->faults[i];
		json_write_separator(out);
		buffer_putc(out, '{');
		json_write_string_member(out, pr->faults_in_query ? "parameter" : "pointer", fault->pointer);
		json_write_string_member(out, "code", fault->code);
		json_write_string_member(out, "detail", fault->detail);
		if (fault->policy != NULL)
			json_write_string_member(out, "policy", fault->policy);
		buffer_putc(out, '}');
	}
	buffer_putc(out, ']');
}

void
proposal_write_problem(const struct proposal *pr, struct buffer *out)
{
	const struct problem_text *text = problem_text(pr->problem);

	buffer_putc(out, '{');
	json_write_string_member(out, "type", "about:blank");
	json_write_string_member(out, "title", text->title);
	json_write_int_member(out, "status", text->status);
	json_write_string_member(out, "detail", pr->detail != NULL ? pr->detail : text->detail);
	json_write_string_member(out, "code", text->code);
	if (pr->policy != NULL)
		json_write_string_member(out, "policy", pr->policy);
	if (pr->fault_count > 0 && is_about_faults(pr->problem))
		write_faults(pr, out);
	buffer_putc(out, '}');
}

const char *
proposal_text(const struct proposal *pr, const char *member)
{
	return pr->body != NULL ? json_member_string(pr->body, member) : NULL;
}

bool
proposal_has(const struct proposal *pr, const char *member)
{
	return pr->body != NULL && json_object_object_get_ex(pr->body, member, NULL);
}

int
proposal_rows(const struct proposal *pr, int statement)
{
	assert(statement < pr->result_count);
	if (pr->is_one_of_many)
		return pr->rows[statement] >= 0 ? 1 : 0;
	/* A statement that returns nothing has no rows, but it did not fail. */
	return PQntuples(pr->results[statement]);
}

static const char *
value_of(const PGresult *rows, int row, const char *name)
{
	const int column = PQfnumber(rows, name);

	assert(column >= 0 && row >= 0);
	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

const char *
proposal_value(const struct proposal *pr, int statement, const char *name)
{
	return value_of(pr->results[statement], pr->rows[statement], name);
}

const char *
proposal_shared(const struct proposal *pr, int statement, const char *name)
{
	return value_of(pr->results[statement], 0, name);
}

const char *
proposal_column(const struct proposal *pr, const char *name)
{
	return proposal_value(pr, 0, name);
}

bool
proposal_permits(const struct proposal *pr, const char *permission)
{
	return permission_set_has(&pr->caller.permissions, permission);
}

bool
proposal_require(struct proposal *pr, const char *permission, const char *because)
{
	if (proposal_permits(pr, permission))
		return true;
	return proposal_refuse(pr, PROBLEM_PERMISSION_MISSING, NULL,
		arena_printf(pr->scratch, "This needs the permission %s: %s.", permission, because));
}

bool
proposal_holds(const struct proposal *pr, const char *default_permissions, const struct permission_set *set)
{
	for (size_t i = 0; i < set->count; i++) {
		if (!permission_set_has(&pr->caller.permissions, set->words[i])
			&& !policy_words_have(default_permissions, set->words[i]))
			return false;
	}
	return true;
}

bool
proposal_check_match(struct proposal *pr, const char *tag)
{
	if (pr->if_none_match != NULL && entity_tags_hold(pr->if_none_match, tag))
		return proposal_refuse(pr, PROBLEM_VERSION_MISMATCH, NULL, strcmp(pr->if_none_match, "*") == 0
			? "If-None-Match says that there should be none yet, and there is one." : "What is there is what If-None-Match names.");
	if (pr->if_match == NULL || entity_tags_hold(pr->if_match, tag))
		return true;
	return proposal_refuse(pr, PROBLEM_VERSION_MISMATCH, NULL, tag != NULL ? NULL : "If-Match says that there should be one, and there is none.");
}

bool
proposal_brings_password(const struct proposal *pr)
{
	return pr->password_hash != NULL || proposal_text(pr, "password") != NULL;
}

const char *
proposal_actor_kind(const struct proposal *pr)
{
	static const char *const kinds[] = {
		[CALLER_NOBODY] = "system", [CALLER_USER] = "user", [CALLER_API_KEY] = "api_key",
		[CALLER_OPERATOR] = "operator",
	};

	return kinds[pr->caller.kind];
}

const char *
proposal_actor(struct proposal *pr)
{
	struct buffer out = BUFFER_INIT;

	buffer_putc(&out, '{');
	json_write_string_member(&out, "kind", proposal_actor_kind(pr));
	json_write_string_member(&out, "id", pr->caller.id);
	json_write_string_member(&out, "ip", pr->ip);
	json_write_string_member(&out, "request_id", pr->id);
	buffer_putc(&out, '}');
	return proposal_take_text(pr, &out);
}

const char *
proposal_new_id(struct proposal *pr)
{
	char *id = arena_take(pr->scratch, UUID_TEXT_SIZE);

	uuid_make_text(id);
	return id;
}

const char *
proposal_take_text(struct proposal *pr, struct buffer *text)
{
	const char *kept = arena_copy(pr->scratch, buffer_text(text));

	buffer_free(text);
	return kept;
}
