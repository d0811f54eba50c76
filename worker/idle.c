/*
 * The idle sweep (DESIGN.md §4, Idle).
 *
 * users.idle_check_at says when somebody must be looked at: at his next warning, or when
 * he is due; who has a day off then is looked at when he is back. The cost grows with those
 * users, not with all. If so many of an organization fall due at once that something else
 * must be wrong (an integration that stopped signing people in), the brake holds: nobody is
 * inactivated, its administrators hear of it once a day, and one of them may release it.
 */
#include "idle.h"

#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "json.h"
#include "log.h"
#include "queries.h"
#include "shared_page.h"
#include "supervisor.h"
#include "uuid.h"
#include "worker.h"

#define SWEEP_LIMIT "1000"
#define SWEEP_ROWS 1000
/* So few users are never held back, whatever share of their organization they are. */
#define BRAKE_FREE_USERS 10

bool
idle_recompute(struct worker *worker)
{
	PGresult *organizations = worker_query(worker, &query_idle_stale_organizations, NULL);

	for (int i = 0; organizations != NULL && i < PQntuples(organizations); i++) {
		const char *org_id = row_text(organizations, i, "org_id");
		char after[UUID_TEXT_SIZE] = "";
		long count = SWEEP_ROWS;

		while (count == SWEEP_ROWS && !supervisor_stopping()) {
			PGresult *page = worker_query(worker, &query_idle_recompute,
				(const char *const[]){ org_id, *after != '\0' ? after : NULL, SWEEP_LIMIT });
			if (page == NULL)
				break;
			count = row_int(page, 0, "count");
			worker->task_rows += count;
			if (count > 0)
				memcpy(after, row_text(page, 0, "last_id"), UUID_TEXT_SIZE);
			PQclear(page);
		}
		if (count < SWEEP_ROWS)
			PQclear(worker_query(worker, &query_idle_recomputed,
				(const char *const[]){ org_id, row_text(organizations, i, "setting") }));
	}
	PQclear(organizations);
	return false;
}

static const char *
new_id(struct arena *arena)
{
	char *id = arena_take(arena, UUID_TEXT_SIZE);

	uuid_make_text(id);
	return id;
}

/* One mail to each administrator about the brake. */
static void
mail_brake(struct worker *worker, const char *org_id, long due, long active)
{
	PGresult *people = worker_query(worker, &query_organization_administrators, (const char *const[]){ org_id });
	struct arena *arena = arena_create();
	struct buffer mails = BUFFER_INIT;

	if (people == NULL)
		goto out;
	buffer_putc(&mails, '[');
	for (int i = 0; i < PQntuples(people); i++) {
		json_write_separator(&mails);
		buffer_putc(&mails, '{');
		json_write_string_member(&mails, "id", new_id(arena));
		json_write_string_member(&mails, "recipient", row_text(people, i, "email"));
		json_write_name(&mails, "data");
		buffer_printf(&mails, "{\"count\":%ld,\"active\":%ld,\"recipient_id\":\"%s\"}", due, active,
			row_text(people, i, "id"));
		buffer_putc(&mails, '}');
	}
	buffer_putc(&mails, ']');
	PQclear(worker_query(worker, &query_idle_brake_tell, (const char *const[]){ org_id, buffer_text(&mails) }));
	database_notify(worker->database, OUTBOX_CHANNEL);
out:
	buffer_free(&mails);
	arena_free(&arena);
	PQclear(people);
}

static void
set_brake(struct worker *worker, const char *org_id, bool braked)
{
	PQclear(worker_query(worker, &query_idle_brake_set,
		(const char *const[]){ org_id, braked ? "true" : "false" }));
}

/* Whether nobody may be inactivated there now. */
static bool
is_braked(struct worker *worker, const PGresult *organizations, int i)
{
	const char *org_id = row_text(organizations, i, "org_id");
	const char *brake = row_text(organizations, i, "idle_brake");
	PGresult *count;
	long active, due;

	if (row_is_true(organizations, i, "is_released"))
		return false;
	count = worker_query(worker, &query_idle_brake_count,
		(const char *const[]){ org_id, AS_TEXT(BRAKE_FREE_USERS), brake });
	if (count == NULL)
		return true;
	active = row_int(count, 0, "active");
	due = row_int(count, 0, "due");
	PQclear(count);
	const bool holds = due > BRAKE_FREE_USERS && due * 100 > active * strtol(brake, NULL, 10);
	if (holds != row_is_true(organizations, i, "is_braked"))
		set_brake(worker, org_id, holds);
	if (holds && !row_is_true(organizations, i, "is_mailed")) {
		log_warn("held the idle sweep: too many users would go at once", "organization_id", org_id, NULL);
		mail_brake(worker, org_id, due, active);
	}
	return holds;
}

/* More days than any warning has (policy idle_warn_days). */
#define BEFORE_ALL_WARNINGS "10000"

struct idle_batch {
	struct arena *arena;
	const char *org_id;
	struct transition_batch *leaving;
	struct buffer warnings;
};

static void
add_warning(struct idle_batch *batch, const struct subject *subject, const char *days)
{
	struct transition transition;
	const bool wants_mail = days != NULL
		&& lifecycle_decide(&subject->policy, &subject->state, EVENT_IDLE_WARNING, &transition);

	json_write_separator(&batch->warnings);
	buffer_putc(&batch->warnings, '{');
	json_write_string_member(&batch->warnings, "id", new_id(batch->arena));
	json_write_string_member(&batch->warnings, "user_id", subject->id);
	json_write_name(&batch->warnings, "days");
	/* Without a warning to give he has come meanwhile: the first of all is the next. */
	buffer_puts(&batch->warnings, days != NULL ? days : BEFORE_ALL_WARNINGS);
	json_write_bool_member(&batch->warnings, "wants_mail", wants_mail);
	buffer_putc(&batch->warnings, '}');
}

static void
add_leaving(struct worker *worker, struct idle_batch *batch, const struct subject *subject)
{
	static const struct transition_details details = { .action = "user.idle", .guard = "idle" };
	struct transition transition;

	if (!lifecycle_decide(&subject->policy, &subject->state, EVENT_IDLE, &transition))
		/* the last administrator stays */
		PQclear(worker_query(worker, &query_idle_postponed,
			(const char *const[]){ batch->org_id, subject->id }));
	else if (!transition.reduces_administrators || !transition_batch_reduces_administrators(batch->leaving))
		/* a second administrator waits for the next round: he may be the last by then */
		transition_batch_add(batch->leaving, subject, &transition, &details);
}

/* False: nobody was moved on, and they are due again. */
static bool
write_warnings(struct worker *worker, struct idle_batch *batch)
{
	buffer_putc(&batch->warnings, ']');
	PGresult *written = worker_query(worker, &query_idle_warned,
		(const char *const[]){ batch->org_id, buffer_text(&batch->warnings) });
	const bool is_written = written != NULL;

	PQclear(written);
	if (is_written)
		database_notify(worker->database, OUTBOX_CHANNEL);
	return is_written;
}

/* One page of an organization; how many were moved on. A page of which nobody was is left to
 * the next round. */
static int
sweep_page(struct worker *worker, const char *org_id, bool warnings_only, int *seen)
{
	PGresult *rows = worker_query(worker, &query_sweep_idle,
		(const char *const[]){ org_id, warnings_only ? "true" : "false", SWEEP_LIMIT });
	struct idle_batch batch = { .arena = arena_create(), .org_id = org_id };
	int idled = 0, warned = 0;

	*seen = rows != NULL ? PQntuples(rows) : 0;
	batch.leaving = transition_batch_create(batch.arena, org_id);
	buffer_putc(&batch.warnings, '[');
	for (int row = 0; row < *seen; row++) {
		struct subject subject;
		subject_from_row(&subject, batch.arena, rows, row);
		if (row_is_true(rows, row, "is_due")) {
			add_leaving(worker, &batch, &subject);
		} else {
			add_warning(&batch, &subject, row_text(rows, row, "warn_days"));
			warned++;
		}
	}
	PQclear(rows);
	if (transition_batch_count(batch.leaving) > 0)
		idled = worker_transition(worker, batch.leaving);
	else
		transition_batch_discard(batch.leaving);
	if (warned > 0 && !write_warnings(worker, &batch))
		warned = 0;
	worker->task_rows += warned;
	buffer_free(&batch.warnings);
	arena_free(&batch.arena);
	metric_add(worker->page, METRIC_USERS_IDLED, idled > 0 ? idled : 0);
	return (idled > 0 ? idled : 0) + warned;
}

bool
idle_sweep(struct worker *worker)
{
	PGresult *organizations = worker_query(worker, &query_idle_due_organizations, NULL);

	for (int i = 0; organizations != NULL && i < PQntuples(organizations); i++) {
		PQclear(worker_query(worker, &query_idle_spare, (const char *const[]){ row_text(organizations, i, "org_id") }));
		const bool braked = is_braked(worker, organizations, i);
		int seen = SWEEP_ROWS, moved = 1;

		while (seen == SWEEP_ROWS && moved > 0 && !supervisor_stopping())
			moved = sweep_page(worker, row_text(organizations, i, "org_id"), braked, &seen);
	}
	PQclear(organizations);
	return false;
}
