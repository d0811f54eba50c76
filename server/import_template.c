/*
 * The file that an import of people of one role begins with: the headers, those that must be
 * filled in marked, and one person whom a dry run would take, but for her address: her row is
 * to be replaced, and it is told where it was forgotten.
 *
 * A workbook of two rows is made here and now: its temporary files are some kilobytes, and
 * are gone with the answer.
 */
#include "import_template.h"

#include <string.h>

#include "field.h"
#include "files.h"
#include "list.h"
#include "policy.h"
#include "sheet.h"
#include "user_columns.h"
#include "user_sheet.h"

/* Behind the header of what must be filled in; no part of it (user_column_fold). */
#define REQUIRED_MARK " *"

const char *const import_template_parameters[] = { "format", "role_id", "delimiter", NULL };

struct template {
	bool is_book;
	char delimiter;
	struct policy policy;
	struct field_set fields;
	const char *role_id, *role;	/* NULL: none */
	const char *day;
};

static enum step
import_template(struct request *rq)
{
	struct template *template = arena_take(rq->scratch, sizeof(*template));
	const char *role_id = list_read_id(rq, "role_id");

	rq->data = template;
	rq->faults_in_query = true;
	template->is_book = file_wants_xlsx(rq);
	template->delimiter = file_read_delimiter(rq);
	if (rq->fault_count > 0)
		return request_answer_faults(rq);
	return request_query(rq, LANE_READ, &query_import_template_load,
		(const char *const[]){ rq->org_id, role_id, rq->caller.language });
}

static enum step
import_template_take(struct request *rq)
{
	struct template *template = rq->data;

	template->role_id = request_column(rq, "role_id");
	template->role = request_column(rq, "role");
	template->day = request_column(rq, "day");
	if (request_parameter(rq, "role_id") != NULL && template->role_id == NULL) {
		request_parameter_fault(rq, "role_id", "unknown_id", "There is no role with this id.");
		return request_answer_faults(rq);
	}
	policy_from_row(&template->policy, rq->scratch, rq->result, 0);
	field_set_read(&template->fields, rq->scratch, request_column(rq, "fields"));
	return STEP_NEXT;
}

/* ---- The columns that everybody has. */

static bool
is_in_template(const struct template *template, const struct user_column *column)
{
	if (column->id == COLUMN_STATUS)
		return template->policy.initial_status == INITIAL_CHOSEN_BY_ADMIN;
	return column->id != COLUMN_PASSWORD_HASH && column->id != COLUMN_ID && column->id != COLUMN_VERSION;
}

static bool
is_required(const struct template *template, const struct user_column *column)
{
	const struct policy *policy = &template->policy;

	switch (column->id) {
	case COLUMN_FIRST_NAME:
	case COLUMN_LAST_NAME:
		return true;
	case COLUMN_EMAIL:
		return policy->email_required;
	case COLUMN_USERNAME:
		return policy->login_identifier == LOGIN_BY_USERNAME;
	case COLUMN_ROLE:
		return policy->role_required;
	default:
		return false;
	}
}

/* What stands there of the example; "" where anything would have to exist already. */
static const char *
example_of(struct request *rq, const struct user_column *column)
{
	const struct template *template = rq->data;
	const bool is_latin = strcmp(rq->caller.language, "en") == 0, is_russian = strcmp(rq->caller.language, "ru") == 0;

	switch (column->id) {
	case COLUMN_EMAIL:
		return USER_COLUMN_EXAMPLE_EMAIL;
	case COLUMN_USERNAME:
		return is_required(template, column) ? "olena.shevchenko.example" : "";
	case COLUMN_FIRST_NAME:
		return is_latin ? "Olena" : is_russian ? "Елена"
						       : "Олена";
	case COLUMN_LAST_NAME:
		return is_latin ? "Shevchenko" : "Шевченко";
	case COLUMN_PHONE:
		return "+380441234567";
	case COLUMN_EXTERNAL_ID:
		return "example-1001";
	case COLUMN_KIND:
		return policy_words_have(template->policy.user_kinds, "employee") ? "employee" : "external";
	case COLUMN_ROLE:
		return template->role != NULL ? template->role : "";
	case COLUMN_LOCALE:
		return rq->caller.language;
	case COLUMN_STATUS:
		return "pending";
	default:
		return "";
	}
}

/* ---- The organization's own. */

static bool
takes(struct field *field, const char *text)
{
	struct field_fault fault;
	struct json_object *value = field_value_from_text(field, text, &fault);
	const bool is_taken = value != NULL;

	json_object_put(value);
	return is_taken;
}

/* A pattern may ask for anything: the first of some texts that fits, or none. */
static const char *
example_of_text(struct field *field)
{
	static const char *const texts[] = { "Example", "example", "EXAMPLE", "A", "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678",
		"1234567890", "A1", "AA1234BB", "AB123456", "AB-123", "A-1", "AAA", "abc", "+380441234567", "a@example.com", NULL };

	for (const char *const *text = texts; *text != NULL; text++) {
		if (takes(field, *text))
			return *text;
	}
	return "";
}

static const char *
example_of_field(const struct template *template, struct field *field)
{
	switch (field->type) {
	case FIELD_NUMBER:
		return "1";
	case FIELD_BOOLEAN:
		return "true";
	case FIELD_DATE:
		return template->day;
	case FIELD_CHOICE:
		return field->options[0];
	case FIELD_TEXT:
		return example_of_text(field);
	}
	return "";
}

/* ---- Rows. */

static void
write_headers(struct request *rq, struct sheet *sheet)
{
	const struct template *template = rq->data;

	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		const struct user_column *column = &user_columns[i];

		if (is_in_template(template, column))
			sheet_write_text(sheet, arena_printf(rq->scratch, "%s%s", user_column_label(column, rq->caller.language),
				is_required(template, column) ? REQUIRED_MARK : ""));
	}
	for (size_t i = 0; i < template->fields.count; i++) {
		struct buffer header = BUFFER_INIT;

		user_sheet_field_header(&header, &template->fields, i);
		if (field_is_required(&template->fields.fields[i], template->role_id))
			buffer_puts(&header, REQUIRED_MARK);
		sheet_write_text(sheet, buffer_text(&header));
		buffer_free(&header);
	}
	sheet_end_row(sheet);
}

static void
write_example(struct request *rq, struct sheet *sheet)
{
	const struct template *template = rq->data;

	for (int i = 0; i < USER_COLUMN_COUNT; i++) {
		if (is_in_template(template, &user_columns[i]))
			sheet_write_text(sheet, example_of(rq, &user_columns[i]));
	}
	for (size_t i = 0; i < template->fields.count; i++) {
		struct field *field = &template->fields.fields[i];

		if (field->type == FIELD_NUMBER)
			sheet_write_number(sheet, example_of_field(template, field));
		else
			sheet_write_text(sheet, example_of_field(template, field));
	}
	sheet_end_row(sheet);
}

static bool
write_book(struct request *rq, struct sheet *sheet)
{
	uint8_t bytes[8192];
	size_t length;
	bool is_written;

	sheet_begin_book(sheet);
	write_headers(rq, sheet);
	write_example(rq, sheet);
	is_written = sheet_close_book(sheet, NULL, NULL);
	while (is_written && (length = sheet_read_book(sheet, bytes, sizeof(bytes))) > 0)
		buffer_append(&rq->reply, (const char *)bytes, length);
	is_written = is_written && sheet->fault == SHEET_OK;
	sheet_free_book(sheet);
	return is_written;
}

static enum step
import_template_reply(struct request *rq)
{
	const struct template *template = rq->data;
	struct sheet sheet;

	buffer_clear(&rq->reply);
	if (!template->is_book) {
		sheet_begin_csv(&sheet, &rq->reply, template->delimiter);
		write_headers(rq, &sheet);
		write_example(rq, &sheet);
	} else if (!write_book(rq, &sheet)) {
		return request_problem_later(rq, PROBLEM_UNAVAILABLE, 5);
	}
	file_reply_name(rq, arena_printf(rq->scratch, "%s-users-template.%s", request_column(rq, "slug"), template->is_book ? "xlsx" : "csv"));
	return request_reply(rq, 200, template->is_book ? SHEET_TYPE_XLSX : SHEET_TYPE_CSV);
}

request_step *const import_template_steps[] = { import_template, import_template_take, import_template_reply, NULL };
