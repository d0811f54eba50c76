/*
 * Lock digests. The organization's lock_digest_at is moved in the statement that adds the
 * mails, so two clocks never tell the same lock twice.
 */
#include "digest.h"

#include "buffer.h"
#include "json.h"
#include "queries.h"
#include "uuid.h"
#include "worker.h"

static void
digest_organization(struct worker *worker, const char *org_id)
{
	PGresult *people = worker_query(worker, &query_organization_administrators, (const char *const[]){ org_id });
	struct buffer mails = BUFFER_INIT;

	if (people == NULL)
		return;
	buffer_putc(&mails, '[');
	for (int i = 0; i < PQntuples(people); i++) {
		char id[UUID_TEXT_SIZE];
		uuid_make_text(id);
		json_write_separator(&mails);
		buffer_putc(&mails, '{');
		json_write_string_member(&mails, "id", id);
		json_write_string_member(&mails, "recipient", row_text(people, i, "email"));
		json_write_string_member(&mails, "recipient_id", row_text(people, i, "id"));
		buffer_putc(&mails, '}');
	}
	buffer_putc(&mails, ']');
	PGresult *written = worker_query(worker, &query_lock_digest_write, (const char *const[]){ org_id, buffer_text(&mails) });
	worker->task_rows += written != NULL ? PQntuples(written) : 0;
	PQclear(written);
	database_notify(worker->database, OUTBOX_CHANNEL);
	buffer_free(&mails);
	PQclear(people);
}

bool
digest_locks(struct worker *worker)
{
	PGresult *organizations = worker_query(worker, &query_lock_digest_organizations, NULL);

	for (int i = 0; organizations != NULL && i < PQntuples(organizations); i++)
		digest_organization(worker, row_text(organizations, i, "org_id"));
	PQclear(organizations);
	return false;
}
