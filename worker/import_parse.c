/*
 * The dry run: reads the file, and says of each row what applying it would do.
 *
 * The file is parsed in a child that may do nothing else (parser.h); its rows are judged here,
 * a page at a time, by the decisions that the API has, as the one who uploaded it. Nothing is
 * written but the import's own rows. A worker that dies in between is followed by one that
 * begins anew.
 */
#include "imports.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "import_match.h"
#include "import_work.h"
#include "json.h"
#include "parser.h"
#include "queries.h"
#include "subject.h"
#include "supervisor.h"

#define PAGE_ROWS 1000
#define PAGE_BYTES_MAX (4u << 20)	/* of cells: pages of long rows have fewer */
#define CLEAR_LIMIT "5000"

struct dry_run {
	struct import_work *work;
	struct import_names names;
	struct seen *seen;
	struct parser_file file;
	enum job_progress progress;
	/* The page in hand. */
	struct arena *arena;
	struct import_row *rows;
	struct import_reading reading;
	int count;
	size_t bytes;
	bool has_people;	/* there was a row below the headers */
};

/* ---- The file. */

static bool
read_part(struct import_work *work, int number, uint8_t *bytes, size_t *length)
{
	const char *text = arena_printf(work->lease->arena, "%d", number);
	PGresult *part = worker_query(work->lease->worker, &query_file_part_read,
		(const char *const[]){ work->lease->org_id, work->lease->id, text });
	bool is_there = part != NULL && PQntuples(part) > 0;
	size_t size = 0;

	if (is_there) {
		uint8_t *plain = PQunescapeBytea((const unsigned char *)row_text(part, 0, "bytes"), &size);
		is_there = plain != NULL && *length + size <= (size_t)work->size;
		if (is_there)
			memcpy(bytes + *length, plain, size);
		PQfreemem(plain);
	}
	*length += is_there ? size : 0;
	PQclear(part);
	return is_there;
}

/* All of it, owned by the caller; NULL: not all parts are there, or it is no longer ours to read. */
static uint8_t *
read_file(struct import_work *work)
{
	uint8_t *bytes = xmalloc((size_t)work->size + 1);
	size_t length = 0;

	for (int number = 0; length < (size_t)work->size; number++) {
		if (!job_lease_keep(work->lease) || !read_part(work, number, bytes, &length)) {
			free(bytes);
			return NULL;
		}
	}
	return bytes;
}

/* ---- One page. */

static void
begin_page(struct dry_run *run)
{
	run->arena = arena_create();
	run->rows = arena_take(run->arena, sizeof(*run->rows) * PAGE_ROWS);
	run->count = 0;
	run->bytes = 0;
	run->reading = (struct import_reading){ .columns = &run->work->columns, .names = &run->names,
		.restores_cells = run->file.format == PARSER_CSV, .arena = run->arena };
}

static void
end_page(struct dry_run *run)
{
	for (int i = 0; i < run->count; i++)
		import_row_free(&run->rows[i]);
	run->count = 0;
	arena_free(&run->arena);
}

static bool
is_planned(const struct import_row *row, const char *outcome)
{
	return row->outcome != NULL && strcmp(row->outcome, outcome) == 0;
}

/* Which rows the batch decides. */
static int
count_operations(struct dry_run *run)
{
	int count = 0;

	for (int i = 0; i < run->count; i++) {
		if (is_planned(&run->rows[i], "create") || is_planned(&run->rows[i], "update"))
			run->rows[i].operation = count++;
	}
	return count;
}

static void
propose(struct dry_run *run, struct job_batch *batch)
{
	for (int i = 0; i < run->count; i++) {
		struct import_row *row = &run->rows[i];
		if (row->operation < 0)
			continue;
		user_batch_propose(batch->users, row->operation, is_planned(row, "create") ? OPERATION_CREATE : OPERATION_UPDATE, row->body,
			row->user_id, row->seen_version);
		batch->users->operations[row->operation].pr.password_hash = row->password_hash;
		/* Of an edit of who is yet to be made nothing but the form can be looked at. */
		if (row->user_id == NULL)
			user_batch_check_form(batch->users, row->operation);
		/* Two rows about one user are both judged as he is now. */
		else if (!uuid_parse(row->user_id, &batch->users->operations[row->operation].uuid))
			assert(false && "PostgreSQL writes ids as we do");
	}
}

static void
take_outcome(struct dry_run *run, struct import_row *row, const struct operation *operation)
{
	if (operation->pr.problem != PROBLEM_NONE)
		import_row_take_refusal(row, &run->work->columns, &operation->pr);
	else if (operation->changes_nothing)
		row->outcome = "unchanged";
}

/* A row is nothing without the one that makes its user. */
static void
rest_on_first(struct dry_run *run, struct import_row *row)
{
	const char *first = arena_printf(run->arena, "e%u", row->same_as);

	if (is_planned(row, "update") && row->user_id == NULL && !import_row_has_error(row) && seen_find(run->seen, first) != 0)
		import_row_error(row, &run->work->columns, NULL, "not_applied",
			arena_printf(run->arena, "Row %u, which makes this user, has errors.", row->same_as));
}

static void
take_outcomes(struct dry_run *run, const struct job_batch *batch)
{
	for (int i = 0; i < run->count; i++) {
		struct import_row *row = &run->rows[i];
		if (row->operation >= 0)
			take_outcome(run, row, &batch->users->operations[row->operation]);
		rest_on_first(run, row);
		if (is_planned(row, "skipped") || (row->outcome != NULL && !import_row_has_error(row)))
			continue;
		row->outcome = "error";
		(void)seen_add(run->seen, arena_printf(run->arena, "e%u", row->number), row->number);
	}
}

static enum job_progress
decide(struct dry_run *run)
{
	PGresult *facts[BATCH_FACTS];
	struct job_batch batch;
	enum job_progress progress;

	import_work_batch(run->work, &batch, NULL, NULL, count_operations(run));
	propose(run, &batch);
	progress = job_batch_read_caller(&batch);
	if (progress == JOB_GOES_ON)
		progress = job_batch_decide(&batch, facts);
	if (progress == JOB_GOES_ON) {
		user_batch_try(batch.users);
		take_outcomes(run, &batch);
		job_batch_forget(facts);
	}
	job_batch_close(&batch);
	return progress;
}

static void
write_row(const struct import_row *row, struct buffer *out)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_int_member(out, "row", row->number);
	json_write_name(out, "cells");
	buffer_puts(out, buffer_text(&row->cells));
	json_write_name(out, "body");
	if (row->password_hash != NULL)
		json_object_object_add(row->body, "password_hash", json_object_new_string(row->password_hash));
	json_write_value(out, row->body);
	json_write_string_member(out, "outcome", row->outcome);
	json_write_string_member(out, "user_id", row->user_id != NULL ? row->user_id : row->known_id);
	json_write_string_member(out, "version", row->same_as == 0 ? row->seen_version : NULL);
	if (row->same_as != 0)
		json_write_int_member(out, "same_as", row->same_as);
	json_write_name(out, "errors");
	buffer_printf(out, "[%s]", buffer_text(&row->errors));
	buffer_putc(out, '}');
}

static enum job_progress
store(struct dry_run *run)
{
	struct job_lease *lease = run->work->lease;
	struct buffer rows = BUFFER_INIT;
	PGresult *result = NULL;

	buffer_putc(&rows, '[');
	for (int i = 0; i < run->count; i++)
		write_row(&run->rows[i], &rows);
	buffer_putc(&rows, ']');
	const enum database_status status = job_lease_write(lease, &(const struct statement){ &query_import_rows_add,
		(const char *const[]){ lease->org_id, lease->id, buffer_text(&rows) } }, 1, &result);
	PQclear(result);
	buffer_free_secret(&rows);
	job_lease_count_rows(lease, run->count);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}

static void
judge_page(struct dry_run *run)
{
	if (run->count == 0)
		return;
	run->progress = import_match(run->work, run->seen, run->rows, run->count, run->arena);
	if (run->progress == JOB_GOES_ON)
		run->progress = decide(run);
	if (run->progress == JOB_GOES_ON)
		run->progress = store(run);
	end_page(run);
	begin_page(run);
}

/* ---- The headers. */

static void
refuse_headers(struct dry_run *run)
{
	struct buffer headers = BUFFER_INIT;

	for (int i = 0; i < run->work->columns.count && i < 20; i++)
		buffer_printf(&headers, "%s%s", i > 0 ? ", " : "", run->work->columns.list[i].header);
	import_work_fail(run->work, "headers_unknown", arena_printf(run->work->lease->arena, "The first row must have headers, and none of"
		" these says whom a row is about: %s. Say with mapping which column is email, username, external_id or id.", buffer_text(&headers)));
	buffer_free(&headers);
}

static void
judge_headers(struct dry_run *run)
{
	struct arena *arena = run->work->lease->arena;
	const char *passwords = import_columns_find_passwords(&run->work->columns);
	struct buffer unknown = BUFFER_INIT;

	import_columns_find_unknown(&run->work->columns, &unknown);
	if (unknown.length > 0)
		import_work_fail(run->work, "unknown_field", arena_printf(arena, "The mapping names what there is not: %s.", buffer_text(&unknown)));
	else if (passwords != NULL)
		import_work_fail(run->work, "passwords", arena_printf(arena, "Passwords are never imported: take the column %s out of the file, or say"
			" null of it with mapping. A column password_hash may have hashes of them; whoever has none sets a password himself.", passwords));
	else if (!import_columns_name_people(&run->work->columns))
		refuse_headers(run);
	buffer_free(&unknown);
}

static enum job_progress
keep_headers(struct dry_run *run)
{
	struct import_work *work = run->work;
	struct job_lease *lease = work->lease;
	struct buffer headers = BUFFER_INIT, mapping = BUFFER_INIT, mapping_from = BUFFER_INIT;
	const char delimiter[2] = { run->file.delimiter, '\0' };
	PGresult *result = NULL;

	import_columns_write_headers(&work->columns, &headers);
	import_columns_write_mapping(&work->columns, &mapping);
	import_columns_write_mapping_from(&work->columns, &mapping_from);
	const enum database_status status = job_lease_write(lease, &(const struct statement){ &query_import_parse_headers,
		(const char *const[]){ lease->org_id, lease->id, run->file.format == PARSER_CSV ? "csv" : "xlsx", run->file.charset,
			arena_printf(lease->arena, "%d", run->file.sure_percent), *delimiter != '\0' ? delimiter : NULL,
			buffer_text(&headers), buffer_text(&mapping), buffer_text(&mapping_from) } }, 1, &result);
	PQclear(result);
	buffer_free(&headers);
	buffer_free(&mapping);
	buffer_free(&mapping_from);
	return status == DATABASE_OK ? JOB_GOES_ON : JOB_IS_LATER;
}

/* False: nothing more is to be read. */
static bool
take_headers(struct dry_run *run, const struct parser_row *row)
{
	import_columns_take_headers(&run->work->columns, row);
	run->progress = keep_headers(run);
	if (run->progress == JOB_GOES_ON)
		judge_headers(run);
	begin_page(run);
	return run->progress == JOB_GOES_ON && run->work->problem == NULL;
}

/* ---- All of it. */

static bool
take_row(void *context, const struct parser_row *row)
{
	struct dry_run *run = context;

	if (run->work->columns.count == 0)
		return take_headers(run, row);
	run->has_people = true;
	for (int i = 0; i < row->count; i++)
		run->bytes += row->cells[i].length;
	import_row_read(&run->rows[run->count++], &run->reading, row);
	if (run->count == PAGE_ROWS || run->bytes > PAGE_BYTES_MAX)
		judge_page(run);
	return run->progress == JOB_GOES_ON && !supervisor_stopping();
}

/* A file may keep its parser busy, and silent, for as long as the lease lasts. */
static bool
hold_meanwhile(void *context)
{
	struct dry_run *run = context;

	if (!job_lease_keep(run->work->lease))
		run->progress = JOB_IS_LATER;
	return run->progress == JOB_GOES_ON && !supervisor_stopping();
}

static void
tell_fault(struct dry_run *run, const struct parser_fault *fault)
{
	struct buffer detail = BUFFER_INIT;

	parser_fault_describe(fault, &detail);
	import_work_fail(run->work, parser_fault_word(fault->kind), buffer_text(&detail));
	buffer_free(&detail);
}

/* Nobody uploads headers alone on purpose: the people may stand on a sheet behind the first. */
static void
tell_empty(struct dry_run *run)
{
	import_work_fail(run->work, parser_fault_word(PARSER_FAULT_EMPTY), "There are headers and no rows below them: each row below"
		" the first is a user, and of a workbook the first sheet is read.");
}

/* What a fault of ours is, not the file's: it is tried again. */
static bool
is_ours(enum parser_fault_kind kind)
{
	return kind == PARSER_FAULT_NOT_STARTED || kind == PARSER_FAULT_KILLED;
}

static void
parse(struct dry_run *run, const uint8_t *bytes)
{
	const struct parser_job job = { .bytes = bytes, .length = (size_t)run->work->size, .charset = run->work->charset_wanted,
		.take = take_row, .pulse = hold_meanwhile, .context = run };
	struct parser_fault fault;

	run->work->columns.count = 0;
	if (parser_run(&job, &run->file, &fault)) {
		if (!run->has_people)
			tell_empty(run);
		judge_page(run);
	} else if (is_ours(fault.kind)) {
		run->progress = JOB_IS_LATER;
	} else if (fault.kind != PARSER_FAULT_STOPPED) {
		tell_fault(run, &fault);
	}
	if (run->arena != NULL)
		end_page(run);
}

/* Of the run before, page by page; its counts go with the first statement. */
static enum job_progress
clear_rows(struct import_work *work)
{
	struct job_lease *lease = work->lease;
	const char *const params[] = { lease->org_id, lease->id, CLEAR_LIMIT };
	PGresult *results[2];
	int count;

	do {
		if (job_lease_write(lease, (const struct statement[]){ { &query_import_parse_begin, params },
			{ &query_import_rows_clear, params } }, 2, results) != DATABASE_OK)
			return JOB_IS_LATER;
		count = PQntuples(results[1]);
		PQclear(results[0]);
		PQclear(results[1]);
	} while (count > 0 && !supervisor_stopping());
	return JOB_GOES_ON;
}

static enum job_progress
read_names(struct dry_run *run)
{
	struct job_lease *lease = run->work->lease;
	PGresult *names = worker_query(lease->worker, &query_import_names, (const char *const[]){ lease->org_id });

	if (names != NULL)
		import_names_read(&run->names, lease->arena, names);
	PQclear(names);
	return names != NULL ? JOB_GOES_ON : JOB_IS_LATER;
}

static void
run_dry(struct dry_run *run)
{
	uint8_t *bytes;

	run->progress = clear_rows(run->work);
	if (run->progress == JOB_GOES_ON)
		run->progress = read_names(run);
	if (run->progress != JOB_GOES_ON)
		return;
	bytes = read_file(run->work);
	if (bytes == NULL) {
		run->progress = JOB_IS_LATER;
		return;
	}
	run->seen = seen_create(run->work->lease->arena);
	parse(run, bytes);
	seen_free(&run->seen);
	free(bytes);
}

enum job_end
import_parse_run(struct job_lease *lease)
{
	struct import_work work;
	struct dry_run run = { .work = &work };
	enum job_end end = JOB_LATER;
	bool is_there;

	if (import_work_open(&work, lease, "parsing", false, &is_there) != JOB_GOES_ON)
		return JOB_LATER;
	if (!is_there)
		return import_work_drop(lease);
	work.invites = work.policy.import_invites == IMPORT_INVITES_TRUE;
	run_dry(&run);
	if (run.progress == JOB_GOES_ON && work.problem == NULL && supervisor_stopping())
		end = JOB_STOPPED;
	else
		end = import_work_end(&work, run.progress, "ready", false);
	import_work_close(&work);
	return end;
}
