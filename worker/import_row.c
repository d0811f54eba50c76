/*
 * Cells to a body.
 *
 * An empty cell says nothing, unless the row has the id of its user, as an export writes it:
 * then the row says all about the columns that are there, and an empty cell takes a value
 * away. What is well formed is left to the decisions; here stands what only files have:
 * names for ids, numbers that a spreadsheet made of phones, words for a kind.
 */
#include "import_row.h"

#include <string.h>

#include "cell.h"
#include "json.h"
#include "memory.h"
#include "parser.h"
#include "password.h"
#include "text.h"
#include "utf8.h"
#include "uuid.h"

#define TOLD_CHARACTERS 60	/* of a name that nothing has, */
#define TOLD_NAMES 10		/* and so many of a cell */

struct reader {
	struct import_row *row;
	const struct import_reading *reading;
	bool is_whole;		/* empty cells take values away */
};

static void
fault(const struct reader *reader, const char *field, const char *code, const char *detail)
{
	import_row_error(reader->row, reader->reading->columns, field, code, detail);
}

static void
put(const struct reader *reader, const char *member, struct json_object *value)
{
	json_object_object_add(reader->row->body, member, value);
}

static void
put_text(const struct reader *reader, const char *member, const char *text)
{
	put(reader, member, json_object_new_string(text));
}

/* No-break blanks come along when people copy from pages and chats. */
static size_t
blank_length(const char *text)
{
	if (*text != '\0' && strchr(" \t\r\n", *text) != NULL)
		return 1;
	return strncmp(text, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

static const char *
trim(struct arena *arena, const char *text)
{
	size_t length, end = 0;

	for (size_t blank; (blank = blank_length(text)) > 0;)
		text += blank;
	length = strlen(text);
	for (size_t at = 0; at < length;) {
		const size_t blank = blank_length(text + at);
		at += blank > 0 ? blank : 1;
		if (blank == 0)
			end = at;
	}
	return arena_copy_n(arena, text, end);
}

/* ---- One column each. */

static const char *
lower(const struct reader *reader, const char *text)
{
	struct buffer out = BUFFER_INIT;

	text_lower(&out, text);
	const char *kept = arena_copy(reader->reading->arena, buffer_text(&out));
	buffer_free(&out);
	return kept;
}

/* A spreadsheet that took it for a number has lost its plus. */
static void
read_phone(const struct reader *reader, const char *text)
{
	const bool is_number = strspn(text, "0123456789") == strlen(text) && strlen(text) >= 11 && *text != '0';

	put_text(reader, "phone", is_number ? arena_printf(reader->reading->arena, "+%s", text) : text);
}

static void
read_kind(const struct reader *reader, const char *text)
{
	static const struct { const char *word, *kind; } words[] = {
		{ "employee", "employee" }, { "працівник", "employee" }, { "співробітник", "employee" }, { "сотрудник", "employee" },
		{ "external", "external" }, { "зовнішній", "external" }, { "внешний", "external" },
	};
	const char *wanted = lower(reader, text);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, wanted) == 0) {
			put_text(reader, "kind", words[i].kind);
			return;
		}
	}
	fault(reader, "kind", "invalid", "It is employee or external.");
}

/* As much of it as is needed to find it in its cell. */
static const char *
shortened(const struct reader *reader, const char *name)
{
	const size_t length = strlen(name);
	size_t bytes = 0;
	uint32_t code_point;

	for (int i = 0; i < TOLD_CHARACTERS && bytes < length; i++) {
		const size_t step = utf8_decode(name + bytes, length - bytes, &code_point);
		bytes += step > 0 ? step : 1;
	}
	return bytes == length ? name : arena_printf(reader->reading->arena, "%.*s…", (int)bytes, name);
}

static const char *
find_name(const struct reader *reader, enum import_name_kind kind, const char *field, const char *name)
{
	static const char *const words[] = { [NAME_ROLE] = "role", [NAME_GROUP] = "group", [NAME_DEPARTMENT] = "department" };
	struct arena *arena = reader->reading->arena;
	bool is_ambiguous;
	const char *id = import_names_find(reader->reading->names, kind, name, &is_ambiguous);

	if (id == NULL && is_ambiguous)
		fault(reader, field, "unknown_id", arena_printf(arena, "More than one %s is called %s: write the whole path, or the name exactly.",
			words[kind], shortened(reader, name)));
	else if (id == NULL)
		fault(reader, field, "unknown_id", arena_printf(arena, "There is no %s of this name: %s.", words[kind], shortened(reader, name)));
	return id;
}

static void
read_named(const struct reader *reader, enum import_name_kind kind, const char *field, const char *member, const char *text)
{
	const char *id = find_name(reader, kind, field, text);

	if (id != NULL)
		put_text(reader, member, id);
}

static bool
has_id(struct json_object *list, const char *id)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		if (strcmp(json_object_get_string(json_object_array_get_idx(list, i)), id) == 0)
			return true;
	}
	return false;
}

static void
read_groups(const struct reader *reader, const char *text)
{
	struct json_object *list = json_object_new_array();
	int missing = 0;

	while (*text != '\0' && missing < TOLD_NAMES) {
		const size_t length = strcspn(text, ";");
		const char *name = trim(reader->reading->arena, arena_copy_n(reader->reading->arena, text, length));
		const char *id = *name != '\0' ? find_name(reader, NAME_GROUP, "groups", name) : NULL;
		if (id != NULL && !has_id(list, id))
			json_object_array_add(list, json_object_new_string(id));
		missing += *name != '\0' && id == NULL;
		text += length + (text[length] != '\0');
	}
	if (missing == 0)
		put(reader, "group_ids", list);
	else
		json_object_put(list);
}

static void
read_hash(const struct reader *reader, const char *text)
{
	if (password_hash_is_importable(text))
		reader->row->password_hash = text;
	else
		fault(reader, "password_hash", "invalid", "This is no hash of a password that can be taken: argon2, scrypt, PBKDF2, bcrypt,"
			" yescrypt or sha-crypt, of a cost that a login can bear. Passwords themselves are never imported.");
}

static void
read_id(const struct reader *reader, const char *text)
{
	struct uuid id;

	if (uuid_parse(text, &id))
		reader->row->id = text;
	else
		fault(reader, "id", "unknown_id", "There is no user with this id.");
}

static void
read_version(const struct reader *reader, const char *text)
{
	const size_t digits = strspn(text, "0123456789");

	if (digits == strlen(text) && digits <= 18)
		reader->row->version = text;
	else
		fault(reader, "version", "invalid", "This is a whole number, as it was exported.");
}

static void
read_status(const struct reader *reader, const char *text)
{
	static const char *const words[] = { "pending", "active", "inactive", "locked" };
	const char *wanted = lower(reader, text);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i], wanted) == 0) {
			reader->row->status = words[i];
			return;
		}
	}
	fault(reader, "status", "invalid", "It is pending, active, inactive or locked.");
}

static void
read_attribute(const struct reader *reader, struct field *field, const char *text)
{
	struct json_object *attributes = json_member(reader->row->body, "attributes");
	struct field_fault problem;
	struct json_object *value = field_value_from_text(field, text, &problem);

	if (value == NULL) {
		fault(reader, arena_printf(reader->reading->arena, USER_COLUMN_ATTRIBUTE "%s", field->key), problem.code, problem.detail);
		return;
	}
	if (attributes == NULL) {
		attributes = json_object_new_object();
		put(reader, "attributes", attributes);
	}
	json_object_object_add(attributes, field->key, value);
}

static void
read_column(const struct reader *reader, const struct user_column *column, const char *text)
{
	switch (column->id) {
	case COLUMN_PHONE:
		read_phone(reader, text);
		return;
	case COLUMN_KIND:
		read_kind(reader, text);
		return;
	case COLUMN_ROLE:
		read_named(reader, NAME_ROLE, "role", "role_id", text);
		return;
	case COLUMN_DEPARTMENT:
		read_named(reader, NAME_DEPARTMENT, "department", "department_id", text);
		return;
	case COLUMN_GROUPS:
		read_groups(reader, text);
		return;
	case COLUMN_LOCALE:
		put_text(reader, "locale", lower(reader, text));
		return;
	case COLUMN_STATUS:
		read_status(reader, text);
		return;
	case COLUMN_PASSWORD_HASH:
		read_hash(reader, text);
		return;
	case COLUMN_ID:
		read_id(reader, text);
		return;
	case COLUMN_VERSION:
		read_version(reader, text);
		return;
	default:
		put_text(reader, column->key, text);
	}
}

/* The row says all of its user, and here it says nothing. */
static void
take_away(const struct reader *reader, const struct import_column *column)
{
	struct json_object *attributes = json_member(reader->row->body, "attributes");

	if (column->field != NULL) {
		if (attributes == NULL)
			put(reader, "attributes", attributes = json_object_new_object());
		json_object_object_add(attributes, column->field->key, NULL);
		return;
	}
	switch (column->column->id) {
	case COLUMN_FIRST_NAME:
	case COLUMN_LAST_NAME:
		fault(reader, column->column->key, "required", "A name is not taken away.");
		return;
	case COLUMN_ROLE:
		put(reader, "role_id", NULL);
		return;
	case COLUMN_DEPARTMENT:
		put(reader, "department_id", NULL);
		return;
	case COLUMN_GROUPS:
		put(reader, "group_ids", json_object_new_array());
		return;
	case COLUMN_KIND:
	case COLUMN_STATUS:
	case COLUMN_PASSWORD_HASH:
	case COLUMN_ID:
	case COLUMN_VERSION:
		return;
	default:
		put(reader, column->column->key, NULL);
	}
}

static void
read_cell(const struct reader *reader, const struct import_column *column, const struct parser_cell *cell)
{
	const char *field = column->field != NULL
		? arena_printf(reader->reading->arena, USER_COLUMN_ATTRIBUTE "%s", column->field->key)
		: column->column->key;
	const char *text;

	if (cell != NULL && cell->value == PARSER_ERROR) {
		fault(reader, field, "invalid", "The spreadsheet has an error in this cell.");
		return;
	}
	if (cell != NULL && cell->value == PARSER_NO_VALUE) {
		fault(reader, field, "invalid", "The cell is a formula whose value the file does not hold: formulas are never evaluated here.");
		return;
	}
	text = cell != NULL ? trim(reader->reading->arena, reader->reading->restores_cells ? cell_restore(cell->text) : cell->text) : "";
	if (*text == '\0') {
		if (reader->is_whole)
			take_away(reader, column);
	} else if (column->field != NULL) {
		read_attribute(reader, column->field, text);
	} else {
		read_column(reader, column->column, text);
	}
}

/* What was said is kept for the report; but passwords are nobody's to read. */
static void
keep_cells(const struct reader *reader, const struct parser_row *parsed)
{
	const struct import_columns *columns = reader->reading->columns;
	struct buffer *out = &reader->row->cells;

	buffer_putc(out, '[');
	for (int i = 0; i < parsed->count; i++) {
		json_write_separator(out);
		json_write_string(out, i < columns->count && columns->list[i].is_secret ? "" : parsed->cells[i].text);
	}
	buffer_putc(out, ']');
}

static bool
has_id_cell(const struct reader *reader, const struct parser_row *parsed)
{
	const struct import_columns *columns = reader->reading->columns;
	const struct import_column *column = import_columns_find(columns, "id");
	const int place = column != NULL ? (int)(column - columns->list) : parsed->count;

	return place < parsed->count && *trim(reader->reading->arena, parsed->cells[place].text) != '\0';
}

void
import_row_read(struct import_row *row, const struct import_reading *reading, const struct parser_row *parsed)
{
	const struct import_columns *columns = reading->columns;
	struct reader reader = { .row = row, .reading = reading };

	row->number = parsed->number;
	row->operation = -1;
	row->body = json_object_new_object();
	keep_cells(&reader, parsed);
	reader.is_whole = has_id_cell(&reader, parsed);
	for (int i = 0; i < columns->count; i++) {
		if (columns->list[i].column != NULL || columns->list[i].field != NULL)
			read_cell(&reader, &columns->list[i], i < parsed->count ? &parsed->cells[i] : NULL);
	}
	for (int i = columns->count; i < parsed->count; i++) {
		if (*parsed->cells[i].text != '\0') {
			import_row_error(row, columns, NULL, "unknown_field", "The row has more cells than there are headers.");
			break;
		}
	}
	row->email = json_member_string(row->body, "email");
	row->username = json_member_string(row->body, "username");
	row->external_id = json_member_string(row->body, "external_id");
	if (row->id == NULL && text_equals(row->email, USER_COLUMN_EXAMPLE_EMAIL))
		fault(&reader, "email", "invalid", "This is the example of the template: write a person of yours into the row, or take it out.");
}

void
import_row_free(struct import_row *row)
{
	json_object_put(row->body);
	buffer_free(&row->cells);
	buffer_free(&row->errors);
}
