/*
 * What an operator's key is for. It belongs to no organization, so nothing here is bound to
 * one. The path of a route may name one: then that is the request's (prologue.c).
 *
 * What is always true: founding does what rollcall-server org create does, and the link of
 * the first administrator is in that one answer; nothing else of an organization's inside
 * is shown to its operator. A slug is taken once, so what is sent again founds nothing, and the
 * link is not shown again. Whose key is revoked founds nothing more, not even at that very moment.
 */
#include "operators.h"

#include "config.h"
#include "founding.h"
#include "list.h"
#include "policy.h"
#include "reply.h"
#include "text.h"

#define SLUG_MAX 63

static const char *const presets[] = { "default", "hesh", "urbantz", "keycrm", "wetrack", NULL };

const struct body_field organization_create_fields[] = {
	{ "slug", BODY_TEXT, .is_required = true, .max = SLUG_MAX },
	{ "name", BODY_NAME, .is_required = true },
	{ "admin_email", BODY_EMAIL, .is_required = true, .max = 254 },
	{ "admin_username", BODY_USERNAME, .is_nullable = true },
	{ "preset", BODY_CHOICE, .choices = presets },
	{ "locale", BODY_LOCALE },
	{ "timezone", BODY_TEXT, .max = 64 },
	{ 0 },
};

const char *const organization_list_parameters[] = { "limit", "cursor", "count", "q", NULL };

/* The list: sorted by slug. */

static enum step
organization_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'o', true);

	const char *search = list_read_search(rq, "q");
	return list_ask(rq, (const struct statement[]){
		{ &query_organization_list, (const char *const[]){ search, page->after_key, page->after_id, page->limit_text } },
		{ &query_organization_count, (const char *const[]){ search } },
	});
}

request_step *const organization_list_steps[] = { organization_list, list_reply, NULL };

/* Found. */

static const char *
text_or(struct request *rq, const char *member, const char *otherwise)
{
	const char *text = request_text(rq, member);

	return text != NULL ? text : otherwise;
}

static enum step
organization_create_load(struct request *rq)
{
	return request_query(rq, LANE_SLOW, &query_timezone_find, (const char *const[]){ text_or(rq, "timezone", "UTC") });
}

static enum step
organization_create_check(struct request *rq)
{
	const char *slug = request_text(rq, "slug");

	if (slug != NULL && *slug != '\0' && utf8_length(slug) <= SLUG_MAX && !slug_is_valid(slug))
		request_fault(rq, "/slug", "invalid", "A slug is 2 to 63 of a-z, 0-9 and -, beginning with a letter and not ending in -.");
	if (request_rows(rq, 0) == 0 && *text_or(rq, "timezone", "") != '\0')
		request_fault(rq, "/timezone", "invalid", "A time zone is a name like Europe/Kyiv.");
	if (json_member(rq->body, "admin_username") == NULL && founding_needs_username(text_or(rq, "preset", "default")))
		request_fault(rq, "/admin_username", "required", "Under this preset people sign in by username.");
	return request_answer_faults(rq);
}

static enum step
organization_create_record(struct request *rq)
{
	struct founding *founding = arena_take(rq->scratch, sizeof(*founding));
	struct statement statements[FOUNDING_STATEMENTS + 2];

	*founding = (struct founding){ .slug = request_text(rq, "slug"), .name = request_text(rq, "name"),
		.email = request_text(rq, "admin_email"), .username = request_text(rq, "admin_username"),
		.preset = text_or(rq, "preset", "default"), .locale = text_or(rq, "locale", "en"),
		.timezone = text_or(rq, "timezone", "UTC") };
	statements[0] = (struct statement){ &query_operator_key_require, (const char *const[]){ rq->caller.id } };
	founding_statements(rq->scratch, founding, request_actor(rq), statements + 1);
	rq->data = founding;
	rq->org_id = founding->org_id;		/* where its Idempotency-Key stands */
	statements[FOUNDING_STATEMENTS + 1] = (struct statement){ &query_organization_get, (const char *const[]){ founding->org_id } };
	return request_effects(rq, LANE_WRITE, statements, FOUNDING_STATEMENTS + 2);
}

/* As the command prints it, and the organization. */
static enum step
organization_create_reply(struct request *rq)
{
	const struct founding *founding = rq->data;
	const char *url = founding_invitation_url(rq->scratch, rq->server->config, founding->org_id, founding->user_id,
		FOUNDING_GENERATION);

	request_header(rq, "Location", arena_printf(rq->scratch, "/v1/organizations/%s", founding->org_id));
	return reply_created_with(rq, (const struct reply_extra[]){
		{ "organization_id", founding->org_id }, { "user_id", founding->user_id }, { "invitation_url", url }, { 0 } });
}

request_step *const organization_create_steps[] = {
	organization_create_load, organization_create_check, organization_create_record, organization_create_reply, NULL
};
