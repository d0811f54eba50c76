/*
 * Days off: when users are away, with date and time.
 *
 * What is always true: days off of one user never overlap (the database sees to it), each
 * ends after it begins, and what they mean for his idle time is written in the same
 * transaction. If-Match is about the day off, not about its user.
 */
#include "day_offs.h"

#include <string.h>

#include "list.h"
#include "reply.h"
#include "text.h"
#include "user_steps.h"

#define NOTE_MAX 500

const struct body_field day_off_create_fields[] = {
	{ "starts_at", BODY_TIME, .is_required = true },
	{ "ends_at", BODY_TIME, .is_required = true },
	{ "note", BODY_TEXT, .is_nullable = true, .max = NOTE_MAX },
	{ "user_id", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const struct body_field day_off_edit_fields[] = {
	{ "starts_at", BODY_TIME },
	{ "ends_at", BODY_TIME },
	{ "note", BODY_TEXT, .is_nullable = true, .max = NOTE_MAX },
	{ "user_id", BODY_READ_ONLY },
	BODY_READ_ONLY_OF_OBJECT,
	{ 0 },
};

const char *const day_off_list_parameters[] = { "limit", "cursor", "count", NULL };

/* A day off as it is, or as it shall be; NULL for what it is not. */
struct moments {
	const char *starts_at, *ends_at, *note;
};

struct day_off_case {
	struct user_case the;		/* first: user_case(rq) works here too */
	const char *id, *version;
	struct moments before, after;
	struct buffer changes, personal;	/* jsonb objects in the making */
};

/* The list: in the order in which they begin. */

static enum step
day_off_list(struct request *rq)
{
	struct page_wish *page = list_begin(rq, 'd', true);

	list_check_number_key(rq, page);
	return list_ask_of_one(rq, LANE_READ, (const struct statement[]){
		{ &query_day_off_list, (const char *const[]){ rq->org_id, rq->path_values[0], page->after_key, page->limit_text } },
		{ &query_day_off_count, (const char *const[]){ rq->org_id, rq->path_values[0] } },
	});
}

request_step *const day_off_list_steps[] = { day_off_list, list_reply_of_one, NULL };

/* One of them: who it is about, what it is, and what the body would make of it. */

/* A moment that is none was named as a fault already; the query must not see it. */
static const char *
moment_or_null(struct request *rq, const char *name)
{
	const char *text = request_text(rq, name);

	return text != NULL && timestamp_is_valid(text) ? text : NULL;
}

static enum step
day_off_load(struct request *rq)
{
	const char *user_id = rq->path_values[0];
	const char *id = *rq->path_values[1] != '\0' ? rq->path_values[1] : NULL;

	return request_queries(rq, LANE_READ, (const struct statement[]){
		{ &query_user_load, (const char *const[]){ rq->org_id, user_id } },
		{ &query_day_off_judge, (const char *const[]){ rq->org_id, user_id, id, moment_or_null(rq, "starts_at"),
			moment_or_null(rq, "ends_at") } },
		{ &query_day_off_get, (const char *const[]){ rq->org_id, user_id, id } },
	}, 3);
}

static const char *
kept(struct request *rq, int statement, const char *column)
{
	const char *text = row_text(rq->results[statement], 0, column);

	return text != NULL ? arena_copy(rq->scratch, text) : NULL;
}

/* The user of every route, and the day off where the path names one. */
static enum step
day_off_take(struct request *rq)
{
	struct day_off_case *day_off = arena_take(rq->scratch, sizeof(*day_off));
	const char *wanted = rq->if_match, *unwanted = rq->if_none_match;

	rq->if_match = rq->if_none_match = NULL;	/* not the user's */
	enum step step = user_take_to_change(rq);
	if (step != STEP_NEXT)
		return step;
	day_off->the = *user_case(rq);
	rq->data = day_off;
	day_off->after = (struct moments){ kept(rq, 1, "wanted_starts_at"), kept(rq, 1, "wanted_ends_at"), request_text(rq, "note") };
	if (*rq->path_values[1] == '\0') {
		day_off->id = request_new_id(rq);
		return STEP_NEXT;
	}
	if (request_rows(rq, 2) == 0)
		return request_problem(rq, PROBLEM_NOT_FOUND);
	day_off->id = rq->path_values[1];
	day_off->version = kept(rq, 2, "version");
	day_off->before = (struct moments){ kept(rq, 2, "starts_at"), kept(rq, 2, "ends_at"), kept(rq, 2, "note") };
	if (!request_has(rq, "note"))
		day_off->after.note = day_off->before.note;
	rq->if_match = wanted;
	rq->if_none_match = unwanted;
	return request_check_match(rq, day_off->version);
}

static enum step
day_off_check(struct request *rq)
{
	/* Behind these years moments are written in other ways. */
	if (row_is_true(rq->results[1], 0, "is_too_early"))
		request_fault(rq, "/starts_at", "invalid", "A day off begins in 1900 or later.");
	if (row_is_true(rq->results[1], 0, "is_too_late"))
		request_fault(rq, "/ends_at", "invalid", "A day off ends before the year 10000.");
	else if (row_is_true(rq->results[1], 0, "is_reversed"))
		request_fault(rq, "/ends_at", "invalid", "A day off ends after it begins.");
	else if (row_is_true(rq->results[1], 0, "is_too_long"))
		request_fault(rq, "/ends_at", "invalid", "A day off is at most 10 years long.");
	return request_answer_faults(rq);
}

/* ---- What the audit tells. */

static void
write_moment(struct buffer *out, const char *text)
{
	if (text != NULL)
		reply_write_timestamp(out, text);
	else
		buffer_puts(out, "null");
}

static void
tell_moment(struct buffer *out, const char *name, const char *before, const char *after)
{
	if (text_equals(before, after))
		return;
	json_write_name(out, name);
	buffer_putc(out, '[');
	write_moment(out, before);
	buffer_putc(out, ',');
	write_moment(out, after);
	buffer_putc(out, ']');
}

static const char *
close_object(struct request *rq, struct buffer *object)
{
	buffer_putc(object, '}');
	return request_take_text(rq, object);
}

/* Which one, when, and that there was a note; what it says is personal. */
static void
tell_changes(struct request *rq, const struct moments *after, const char **changes, const char **personal)
{
	const struct day_off_case *day_off = rq->data;
	const struct moments *before = &day_off->before;
	struct buffer told = BUFFER_INIT, own = BUFFER_INIT;

	buffer_putc(&told, '{');
	buffer_putc(&own, '{');
	json_write_change(&told, "day_off_id", day_off->version != NULL ? day_off->id : NULL,
		after->starts_at != NULL ? day_off->id : NULL);
	tell_moment(&told, "starts_at", before->starts_at, after->starts_at);
	tell_moment(&told, "ends_at", before->ends_at, after->ends_at);
	if (!text_equals(before->note, after->note)) {
		json_write_name(&told, "note");
		buffer_puts(&told, "[]");
		json_write_change(&own, "note", before->note, after->note);
	}
	*changes = close_object(rq, &told);
	*personal = close_object(rq, &own);
}

/* ---- Writing. */

static bool
is_unchanged(const struct day_off_case *day_off)
{
	const struct moments *before = &day_off->before, *after = &day_off->after;

	return text_equals(before->starts_at, after->starts_at) && text_equals(before->ends_at, after->ends_at)
		&& text_equals(before->note, after->note);
}

/* The change, what it means for his idle time, and the day off as it is then. */
static enum step
day_off_write(struct request *rq, const struct query *query, const char *const *params)
{
	const struct day_off_case *day_off = rq->data;
	const char *const user[] = { rq->org_id, day_off->the.subject.id };
	const char *const one[] = { rq->org_id, day_off->the.subject.id, day_off->id };

	return request_effects(rq, LANE_WRITE, (const struct statement[]){
		{ query, params },
		{ &query_idle_recompute_user, user },
		{ &query_day_off_get, one },
	}, 3);
}

static enum step
day_off_create(struct request *rq)
{
	const struct day_off_case *day_off = rq->data;
	const char *changes, *personal;

	tell_changes(rq, &day_off->after, &changes, &personal);
	return day_off_write(rq, &query_day_off_create, (const char *const[]){ rq->org_id, day_off->the.subject.id, day_off->id,
		day_off->after.starts_at, day_off->after.ends_at, day_off->after.note, request_new_id(rq), request_actor(rq), changes, personal });
}

static enum step
day_off_create_reply(struct request *rq)
{
	reply_location(rq, arena_printf(rq->scratch, "/v1/users/%s/day-offs", rq->path_values[0]));
	return reply_created(rq);
}

request_step *const day_off_create_steps[] = {
	day_off_load, day_off_take, day_off_check, day_off_create, day_off_create_reply, NULL
};

static enum step
day_off_edit(struct request *rq)
{
	const struct day_off_case *day_off = rq->data;
	const char *changes, *personal;

	if (is_unchanged(day_off))
		return STEP_NEXT;	/* as it was read */
	tell_changes(rq, &day_off->after, &changes, &personal);
	return day_off_write(rq, &query_day_off_edit, (const char *const[]){ rq->org_id, day_off->the.subject.id, day_off->id, day_off->version,
		day_off->after.starts_at, day_off->after.ends_at, day_off->after.note, request_new_id(rq), request_actor(rq), changes, personal });
}

request_step *const day_off_edit_steps[] = { day_off_load, day_off_take, day_off_check, day_off_edit, reply_ok, NULL };

static enum step
day_off_remove(struct request *rq)
{
	static const struct moments nothing = { 0 };
	const struct day_off_case *day_off = rq->data;
	const char *changes, *personal;

	tell_changes(rq, &nothing, &changes, &personal);
	return day_off_write(rq, &query_day_off_remove, (const char *const[]){ rq->org_id, day_off->the.subject.id, day_off->id,
		day_off->version, request_new_id(rq), request_actor(rq), changes, personal });
}

request_step *const day_off_remove_steps[] = { day_off_load, day_off_take, day_off_remove, reply_no_content, NULL };
