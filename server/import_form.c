/*
 * See import_form.h. What a file is, its content decides when it is read; a Content-Type is
 * only asked whether it is a file at all, and not the form of a browser around one.
 */
#include "import_form.h"

#include <string.h>
#include <strings.h>

#include "encode.h"
#include "field.h"
#include "route.h"
#include "text.h"
#include "user_columns.h"

#define FILE_NAME_MAX 200
#define PATH_MAX_CHARACTERS 1000	/* what some clients send in place of a name */
#define CONTENT_TYPE_MAX 200
#define COLUMNS_MAX 256			/* of a file that the worker parses */
#define HEADER_MAX 200
#define FIELD_NAME_MAX 100

/* As the worker's parser names them. */
static const char *const charsets[] = { "utf-8", "utf-16le", "utf-16be", "windows-1251", "windows-1252", NULL };

const struct body_field import_create_fields[] = {
	{ "file_name", BODY_TEXT, .is_required = true, .max = PATH_MAX_CHARACTERS },
	{ "content_type", BODY_TEXT, .is_nullable = true, .may_be_empty = true, .max = CONTENT_TYPE_MAX },
	{ "size", BODY_COUNT, .is_required = true },
	{ "charset", BODY_CHOICE, .is_nullable = true, .choices = charsets },
	{ "mapping", BODY_OBJECT, .is_nullable = true },
	{ "id", BODY_READ_ONLY }, { "state", BODY_READ_ONLY },
	{ 0 },
};

const char *const import_create_parameters[] = { "file_name", "charset", "mapping", NULL };

const struct body_field import_parse_fields[] = {
	{ "charset", BODY_CHOICE, .is_nullable = true, .choices = charsets },
	{ "mapping", BODY_OBJECT, .is_nullable = true },
	{ 0 },
};

/* Programs that keep tables, and browsers that ask them, call the two formats all of this. */
static const char *const media_types[] = {
	"text/csv", "application/csv", "text/x-csv", "application/x-csv", "text/comma-separated-values",
	"text/x-comma-separated-values", "text/tab-separated-values", "text/plain", "application/vnd.ms-excel",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/zip", "application/octet-stream", NULL,
};

enum step
import_check_media_type(struct request *rq)
{
	for (const char *const *type = media_types; *type != NULL; type++) {
		if (rq->media_type == NULL || strcasecmp(rq->media_type, *type) == 0)
			return STEP_NEXT;
	}
	return request_problem_detail(rq, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
		"Send the bytes of the file as they are, as text/csv, as "
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet or as application/octet-stream.");
}

const char *
import_bytes(struct request *rq)
{
	char *text = arena_take(rq->scratch, (rq->byte_count + 2) / 3 * 4 + 1);

	base64_encode(rq->bytes, rq->byte_count, text);
	return text;
}

/* A member of the body, or the parameter of the same name beside a file. */
static void
add_fault(struct request *rq, const char *name, const char *code, const char *detail)
{
	request_fault(rq, rq->bytes != NULL ? name : body_pointer(rq, "", name), code, detail);
}

static void
add_header_fault(struct request *rq, const char *header, const char *code, const char *detail)
{
	if (rq->bytes != NULL)
		request_fault(rq, "mapping", code, arena_printf(rq->scratch, "%s: %s", header, detail));
	else
		request_fault(rq, body_pointer(rq, "/mapping", header), code, detail);
}

/* Some clients send the whole path: its last segment is the name. */
static const char *
check_file_name(struct request *rq, const char *path)
{
	const char *name = path + strlen(path);

	while (name > path && name[-1] != '/' && name[-1] != '\\')
		name--;
	if (segment_is_dots(name) || !name_is_valid(name))
		add_fault(rq, "file_name", "invalid", "A file name is a text without control characters, and no folder.");
	else if (utf8_length(name) > FILE_NAME_MAX)
		add_fault(rq, "file_name", "too_long", "A file name has at most 200 characters.");
	return arena_copy(rq->scratch, name);
}

/* Whether a custom field of that key exists, the dry run sees: it may come or go until then. */
static bool
field_is_known(const char *name)
{
	const size_t prefix = strlen(USER_COLUMN_ATTRIBUTE);

	if (strncmp(name, USER_COLUMN_ATTRIBUTE, prefix) == 0)
		return field_key_is_valid(name + prefix);
	return user_column_find(name) != NULL;
}

/* Whether an earlier header of the mapping means the same. */
static bool
is_said_before(struct json_object *mapping, const char *header, const char *name)
{
	json_object_object_foreach(mapping, earlier, value) {
		if (strcmp(earlier, header) == 0)
			return false;
		if (json_object_is_type(value, json_type_string) && strcmp(json_object_get_string(value), name) == 0)
			return true;
	}
	return false;
}

static void
check_field_name(struct request *rq, struct json_object *mapping, const char *header, struct json_object *value)
{
	const char *name = json_object_get_string(value);

	if (value == NULL)
		return;		/* the column means nothing */
	if (!json_object_is_type(value, json_type_string))
		add_header_fault(rq, header, "wrong_type", "A field's name is a text; null leaves the column out.");
	else if (utf8_length(name) > FIELD_NAME_MAX)
		add_header_fault(rq, header, "too_long", "At most 100 characters.");
	else if (!field_is_known(name))
		add_header_fault(rq, header, "invalid", "This is no field of a user; a field of your own is written attributes.KEY.");
	else if (is_said_before(mapping, header, name))
		add_header_fault(rq, header, "invalid", "Another column means this field already.");
}

static const char *
check_mapping(struct request *rq, struct json_object *mapping)
{
	struct buffer text = BUFFER_INIT;

	if (json_object_object_length(mapping) > COLUMNS_MAX) {
		add_fault(rq, "mapping", "too_long", "A file has at most 256 columns.");
		return NULL;
	}
	json_object_object_foreach(mapping, header, value) {
		if (!name_is_valid(header))
			add_header_fault(rq, header, "invalid", "A header is a text without control characters.");
		else if (utf8_length(header) > HEADER_MAX)
			add_header_fault(rq, header, "too_long", "A header has at most 200 characters.");
		else
			check_field_name(rq, mapping, header, value);
	}
	json_write_value(&text, mapping);
	return request_take_text(rq, &text);
}

enum step
import_form_read_wishes(struct request *rq, struct import_form *form)
{
	struct json_object *mapping = json_member(rq->body, "mapping");

	form->charset = request_text(rq, "charset");
	if (mapping != NULL && json_object_is_type(mapping, json_type_object))
		form->mapping = check_mapping(rq, mapping);
	return request_answer_faults(rq);
}

static void
read_charset_parameter(struct request *rq, struct import_form *form)
{
	form->charset = request_parameter(rq, "charset");
	if (form->charset == NULL)
		return;
	for (const char *const *charset = charsets; *charset != NULL; charset++) {
		if (strcmp(*charset, form->charset) == 0)
			return;
	}
	request_fault(rq, "charset", "invalid", "One of utf-8, utf-16le, utf-16be, windows-1251, windows-1252.");
}

static void
read_mapping_parameter(struct request *rq, struct import_form *form)
{
	const char *text = request_parameter(rq, "mapping"), *reason = NULL;

	if (text == NULL)
		return;
	struct json_object *mapping = json_parse(text, strlen(text), &reason);
	if (mapping != NULL && json_object_is_type(mapping, json_type_object))
		form->mapping = check_mapping(rq, mapping);
	else
		request_fault(rq, "mapping", "invalid", reason != NULL
			? arena_printf(rq->scratch, "Not acceptable as JSON: %s.", reason) : "A JSON object: header to field.");
	json_object_put(mapping);
}

/* A file that came whole; what is said of it stands in the query. */
static enum step
read_file(struct request *rq, struct import_form *form)
{
	const char *name = request_parameter(rq, "file_name");
	enum step step = import_check_media_type(rq);

	if (step != STEP_NEXT)
		return step;
	rq->faults_in_query = true;
	form->file_name = name != NULL ? check_file_name(rq, name)
		: rq->byte_count > 2 && memcmp(rq->bytes, "PK", 2) == 0 ? "import.xlsx" : "import.csv";
	read_charset_parameter(rq, form);
	read_mapping_parameter(rq, form);
	step = request_answer_faults(rq);
	if (step != STEP_NEXT)
		return step;
	if (rq->byte_count == 0)
		return request_problem_detail(rq, PROBLEM_INVALID_BODY, NULL,
			"The body is empty: send the bytes of a file, or JSON that announces it.");
	form->content_type = rq->media_type;
	form->size = arena_printf(rq->scratch, "%zu", rq->byte_count);
	form->bytes = import_bytes(rq);
	return STEP_NEXT;
}

/* JSON says all of it itself. As everywhere the query string is looked at before the body. */
static enum step
refuse_parameters(struct request *rq)
{
	rq->fault_count = 0;
	rq->faults_in_query = true;
	for (int i = 0; import_create_parameters[i] != NULL; i++) {
		if (rq->parameters.values[i] != NULL)
			request_fault(rq, import_create_parameters[i], "invalid", "Say this in the body: the parameters go with a file's bytes.");
	}
	return request_answer_faults(rq);
}

static enum step
read_announcement(struct request *rq, struct import_form *form)
{
	const char *path = request_text(rq, "file_name"), *type = request_text(rq, "content_type");
	const int64_t size = json_member_int(rq->body, "size", 0);

	for (int i = 0; import_create_parameters[i] != NULL; i++) {
		if (rq->parameters.values[i] != NULL)
			return refuse_parameters(rq);
	}
	if (path != NULL && *path != '\0')
		form->file_name = check_file_name(rq, path);
	if (type != NULL && *type != '\0' && !name_is_valid(type))
		add_fault(rq, "content_type", "invalid", "A content type is like text/csv.");
	if (size > IMPORT_FILE_BYTES_MAX)
		add_fault(rq, "size", "too_long", "A file has at most 33554432 bytes (32 MiB): split a greater one.");
	form->content_type = type != NULL && *type != '\0' ? type : NULL;
	form->size = arena_printf(rq->scratch, "%lld", (long long)size);
	return import_form_read_wishes(rq, form);
}

enum step
import_form_read(struct request *rq, struct import_form *form)
{
	*form = (struct import_form){ 0 };
	return rq->bytes != NULL ? read_file(rq, form) : read_announcement(rq, form);
}
