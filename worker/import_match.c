/*
 * Duplicates: inside the file, and against the database.
 *
 * A row that has the id of its user is about him, and no duplicate. Any other whose external
 * id, address or username somebody has already is what the policy import_on_duplicate says:
 * reported, an edit of him, or skipped. Inside of a file the first row has the name; of the others
 * the same holds.
 */
#include "import_match.h"

#include <string.h>

#include "json.h"
#include "queries.h"
#include "subject.h"
#include "text.h"

#define FOLLOWERS_MAX 20

/* By what somebody is known; the order says whose column is named first. */
static const struct name {
	const char *field, *code;
	const char *id, *version, *status;	/* columns of query_import_match */
	const char *what, *taken;
} names[] = {
	{ "external_id", "external_id_taken", "by_external_id", "version_by_external_id", "status_by_external_id",
		"external id", "There is a user with this external id already." },
	{ "email", "email_taken", "by_email", "version_by_email", "status_by_email",
		"e-mail address", "There is a user with this e-mail address already." },
	{ "username", "username_taken", "by_username", "version_by_username", "status_by_username",
		"username", "There is a user with this username already." },
};
#define NAME_COUNT (sizeof(names) / sizeof(names[0]))

struct matching {
	struct import_work *work;
	struct arena *arena;
	struct seen *seen;
	const PGresult *found;
};

static const char *
name_of(const struct import_row *row, size_t name)
{
	const char *const texts[NAME_COUNT] = { row->external_id, row->email, row->username };

	return texts[name];
}

static void
error(struct matching *matching, struct import_row *row, const char *field, const char *code, const char *detail)
{
	import_row_error(row, &matching->work->columns, field, code, detail);
}

/* Who was found by a name has it: whether its letters are upper or lower case, it is no new value. */
static void
drop_name(struct import_row *row, size_t name)
{
	const char **const texts[NAME_COUNT] = { &row->external_id, &row->email, &row->username };

	json_object_object_del(row->body, names[name].field);
	*texts[name] = NULL;
}

/* ---- Inside of the file. */

static const char *
key_of(struct matching *matching, char kind, const char *text, bool folds)
{
	struct buffer key = BUFFER_INIT;

	buffer_putc(&key, kind);
	if (folds)
		text_lower(&key, text);
	else
		buffer_puts(&key, text);
	text = arena_copy(matching->arena, buffer_text(&key));
	buffer_free(&key);
	return text;
}

/* The row that came with this text first; 0: this one did. */
static uint32_t
first_with(struct matching *matching, const struct import_row *row, char kind, const char *text, bool folds)
{
	return seen_add(matching->seen, key_of(matching, kind, text, folds), row->number);
}

/* The rows that came with each of its names first; 0: none did. Which name is the first of them. */
static size_t
find_first(struct matching *matching, const struct import_row *row, uint32_t numbers[NAME_COUNT])
{
	size_t first = NAME_COUNT;

	for (size_t i = 0; i < NAME_COUNT; i++) {
		/* External ids differ in the case of their letters. */
		const char *text = name_of(row, i), *key = text != NULL ? key_of(matching, (char)('0' + i), text, i != 0) : NULL;
		numbers[i] = key != NULL ? seen_find(matching->seen, key) : 0;
		if (first == NAME_COUNT && numbers[i] != 0)
			first = i;
	}
	return first;
}

/* All names of a row are those of this number from here on, as far as nobody had them. */
static void
claim_names(struct matching *matching, const struct import_row *row, uint32_t number)
{
	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *text = name_of(row, i);
		if (text != NULL)
			(void)seen_add(matching->seen, key_of(matching, (char)('0' + i), text, i != 0), number);
	}
}

/* What a name is that somebody has already, in the file or in the database. */
static void
meet(struct matching *matching, struct import_row *row, size_t name, const char *code, const char *detail)
{
	error(matching, row, names[name].field, code, detail);
	if (matching->work->policy.import_on_duplicate == DUPLICATE_SKIP && row->id == NULL)
		row->outcome = "skipped";
}

/* It is about whom the row of this name is about; if its other names agree. */
static void
follow_first(struct matching *matching, struct import_row *row, size_t name, const uint32_t numbers[NAME_COUNT])
{
	row->same_as = numbers[name];
	for (size_t i = name; i < NAME_COUNT; i++) {
		if (numbers[i] == row->same_as)
			drop_name(row, i);
		else if (numbers[i] != 0)
			error(matching, row, names[i].field, "ambiguous", arena_printf(matching->arena, "Row %u has the same %s, and row %u the same %s.",
				row->same_as, names[name].what, numbers[i], names[i].what));
	}
}

static void
look_in_file(struct matching *matching, struct import_row *row)
{
	const bool follows = matching->work->policy.import_on_duplicate == DUPLICATE_UPDATE && row->id == NULL;
	uint32_t numbers[NAME_COUNT];
	const size_t name = find_first(matching, row, numbers);

	claim_names(matching, row, name != NAME_COUNT && follows ? numbers[name] : row->number);
	if (name == NAME_COUNT)
		return;
	if (follows)
		follow_first(matching, row, name, numbers);
	else
		meet(matching, row, name, "duplicate", arena_printf(matching->arena, "Row %u has the same %s.", numbers[name], names[name].what));
}

/* ---- Against the database. */

static void
write_wanted(const struct import_row *row, int place, struct buffer *out)
{
	json_write_separator(out);
	buffer_putc(out, '{');
	json_write_int_member(out, "place", place);
	json_write_string_member(out, "id", row->id);
	json_write_string_member(out, "email", row->email);
	json_write_string_member(out, "username", row->username);
	json_write_string_member(out, "external_id", row->external_id);
	buffer_putc(out, '}');
}

static PGresult *
ask(struct import_work *work, const struct import_row *rows, int count)
{
	struct buffer wanted = BUFFER_INIT;
	PGresult *found;

	buffer_putc(&wanted, '[');
	for (int i = 0; i < count; i++)
		write_wanted(&rows[i], i, &wanted);
	buffer_putc(&wanted, ']');
	found = worker_query(work->lease->worker, &query_import_match, (const char *const[]){ work->lease->org_id, buffer_text(&wanted) });
	buffer_free(&wanted);
	return found;
}

/* What an edit does not change. `status` is the one that he has; NULL: he is yet to be made. */
static void
be_edit(struct matching *matching, struct import_row *row, const char *status)
{
	row->outcome = "update";
	if (row->status != NULL && (status == NULL || strcmp(row->status, status) != 0))
		error(matching, row, "status", "read_only", "An import does not change the status of a user that there is: activate or inactivate him.");
	if (row->password_hash != NULL)
		error(matching, row, "password_hash", "read_only", "A hash is taken for new users only.");
}

/* Whom a row is about, for those that follow it. NULL: whom it makes. */
static void
note_subject(struct matching *matching, const struct import_row *row, const char *user_id)
{
	(void)seen_add(matching->seen, arena_printf(matching->arena, "s%u", row->number), row->number);
	if (user_id != NULL)
		(void)seen_add(matching->seen, arena_printf(matching->arena, "s%u %s", row->number, user_id), row->number);
}

/* Whether the row that it follows is known to be about somebody else. */
static bool
follows_another(struct matching *matching, const struct import_row *row, const char *user_id)
{
	return row->same_as != 0 && seen_find(matching->seen, arena_printf(matching->arena, "s%u", row->same_as)) != 0
		&& seen_find(matching->seen, arena_printf(matching->arena, "s%u %s", row->same_as, user_id)) == 0;
}

static void
be_about(struct matching *matching, struct import_row *row, int place, const char *id, const char *version, const char *status)
{
	row->user_id = row_copy(matching->arena, matching->found, place, id);
	note_subject(matching, row, row->user_id);
	row->seen_version = row->version != NULL ? row->version : row_copy(matching->arena, matching->found, place, version);
	row->same_as = first_with(matching, row, 'u', row->user_id, false);
	be_edit(matching, row, row_text(matching->found, place, status));
}

static void
match_id(struct matching *matching, struct import_row *row, int place)
{
	const uint32_t first = first_with(matching, row, 'i', row->id, true);

	if (first != 0)
		error(matching, row, "id", "duplicate", arena_printf(matching->arena, "Row %u has the same id.", first));
	if (row_text(matching->found, place, "by_id") != NULL)
		be_about(matching, row, place, "by_id", "version_by_id", "status_by_id");
	else
		error(matching, row, "id", "unknown_id", "There is no user with this id.");
}

/* Which name has somebody; NAME_COUNT: none. *are_different: two have different people. */
static size_t
find_known(struct matching *matching, int place, bool *are_different)
{
	size_t known = NAME_COUNT;

	*are_different = false;
	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *id = row_text(matching->found, place, names[i].id);
		if (id == NULL)
			continue;
		if (known == NAME_COUNT)
			known = i;
		else if (strcmp(id, row_text(matching->found, place, names[known].id)) != 0)
			*are_different = true;
	}
	return known;
}

static void
drop_names(struct matching *matching, struct import_row *row, int place, const char *user_id)
{
	for (size_t i = 0; i < NAME_COUNT; i++) {
		const char *id = row_text(matching->found, place, names[i].id);
		if (id != NULL && strcmp(id, user_id) == 0)
			drop_name(row, i);
	}
}

static void
match_names(struct matching *matching, struct import_row *row, int place)
{
	bool are_different;
	const size_t known = find_known(matching, place, &are_different);

	if (known == NAME_COUNT && row->same_as != 0) {
		be_edit(matching, row, NULL);
	} else if (known == NAME_COUNT) {
		row->outcome = "create";
		note_subject(matching, row, NULL);
	} else if (are_different) {
		error(matching, row, names[known].field, "ambiguous", "Different users have the external id, e-mail address or username of this row.");
	} else if (follows_another(matching, row, row_text(matching->found, place, names[known].id))) {
		error(matching, row, names[known].field, "ambiguous", arena_printf(matching->arena,
			"There is a user with this %s, but by its other names this row is about the same one as row %u.", names[known].what, row->same_as));
	} else if (matching->work->policy.import_on_duplicate == DUPLICATE_UPDATE) {
		drop_names(matching, row, place, row_text(matching->found, place, names[known].id));
		be_about(matching, row, place, names[known].id, names[known].version, names[known].status);
	} else {
		row->outcome = "create";
		meet(matching, row, known, names[known].code, names[known].taken);
	}
}

/* Rows about one user are applied one after another, each by itself. */
static void
limit_followers(struct matching *matching, struct import_row *row)
{
	for (int i = 0; i < FOLLOWERS_MAX; i++) {
		if (seen_add(matching->seen, arena_printf(matching->arena, "f%u %d", row->same_as, i), row->number) == 0)
			return;
	}
	error(matching, row, NULL, "too_long", "At most 20 rows of a file may be about one user, besides the first.");
}

/* So that what is deleted of him is deleted of the row, too. */
static void
note_known(struct matching *matching, struct import_row *row, int place)
{
	bool are_different;
	const size_t known = find_known(matching, place, &are_different);

	if (row->user_id == NULL && known != NAME_COUNT && !are_different)
		row->known_id = row_copy(matching->arena, matching->found, place, names[known].id);
}

enum job_progress
import_match(struct import_work *work, struct seen *seen, struct import_row *rows, int count, struct arena *arena)
{
	PGresult *found = ask(work, rows, count);
	struct matching matching = { .work = work, .arena = arena, .seen = seen, .found = found };

	for (int i = 0; found != NULL && i < count; i++) {
		look_in_file(&matching, &rows[i]);
		if (rows[i].id != NULL)
			match_id(&matching, &rows[i], i);
		else if (rows[i].outcome == NULL)
			match_names(&matching, &rows[i], i);
		note_known(&matching, &rows[i], i);
		if (rows[i].same_as != 0)
			limit_followers(&matching, &rows[i]);
		/* A status is chosen for who is new. */
		if (rows[i].outcome != NULL && strcmp(rows[i].outcome, "create") == 0 && rows[i].status != NULL)
			json_object_object_add(rows[i].body, "status", json_object_new_string(rows[i].status));
	}
	PQclear(found);
	return found != NULL ? JOB_GOES_ON : JOB_IS_LATER;
}
