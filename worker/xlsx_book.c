/*
 * xlsx_book: follows a workbook's relations to the parts that matter.
 *
 * _rels/.rels names the workbook, the workbook names its sheets, and its own relations
 * say where these are. A relation that leads out of the archive is refused as what it
 * is, though nothing could be opened there.
 */
#include "xlsx_book.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { RELATION_BYTES = 64, OWN_FORMATS_MAX = 4096 };

struct own_format {
	long id;
	enum xlsx_format format;
};

/* What is known while the parts are read. */
struct search {
	struct xlsx_book *book;
	struct row_writer *writer;
	char workbook[XLSX_PART_BYTES];
	char first[RELATION_BYTES];	/* of the first sheet, hidden or not */
	char shown[RELATION_BYTES];	/* of the first that is not */
	struct own_format *own;
	size_t own_count;
	bool is_in_cell_formats;
};

static void
fail(struct search *search, enum parser_fault_kind kind)
{
	row_writer_fail(search->writer, kind, 0, 0);
}

static bool
copy(char *out, size_t size, const char *text, size_t length)
{
	if (length >= size)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

/* `target` as seen from the folder of `part`: RFC 3986 §5.2.4 without the rest of it. */
static void
resolve(struct search *search, const char *part, const char *target, char out[XLSX_PART_BYTES])
{
	const char *slash = strrchr(part, '/');
	size_t length = 0;

	if (*target == '/')
		target++;
	else if (slash != NULL && copy(out, XLSX_PART_BYTES, part, (size_t)(slash - part)))
		length = (size_t)(slash - part);
	while (*target != '\0') {
		const size_t piece = strcspn(target, "/");

		if (piece == 2 && memcmp(target, "..", 2) == 0) {
			if (length == 0) {
				fail(search, PARSER_FAULT_ARCHIVE_PATH);
				return;
			}
			while (length > 0 && out[--length] != '/')
				;
		} else if (piece > 0 && !(piece == 1 && *target == '.')) {
			if (length + piece + 2 > XLSX_PART_BYTES) {
				fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
				return;
			}
			if (length > 0)
				out[length++] = '/';
			memcpy(out + length, target, piece);
			length += piece;
		}
		target += piece + (target[piece] != '\0');
	}
	out[length] = '\0';
}

static bool
ends_with(const char *text, const char *ending)
{
	const size_t length = strlen(text);

	return length >= strlen(ending) && strcmp(text + length - strlen(ending), ending) == 0;
}

static void
follow(struct search *search, const char *part, const char **attributes, char out[XLSX_PART_BYTES])
{
	const char *target = xlsx_attribute(attributes, "Target"), *mode = xlsx_attribute(attributes, "TargetMode");

	if (mode != NULL && strcmp(mode, "External") == 0)
		fail(search, PARSER_FAULT_ARCHIVE_PATH);
	else if (target != NULL)
		resolve(search, part, target, out);
}

static void
ignore_end(void *context, const char *name)
{
	(void)context, (void)name;
}

static void
take_package_relation(void *context, const char *name, const char **attributes)
{
	struct search *search = context;
	const char *type = xlsx_attribute(attributes, "Type");

	if (strcmp(name, "Relationship") == 0 && type != NULL && ends_with(type, "/officeDocument"))
		follow(search, "", attributes, search->workbook);
}

static void
take_workbook(void *context, const char *name, const char **attributes)
{
	struct search *search = context;
	const char *id = xlsx_attribute(attributes, "id"), *state = xlsx_attribute(attributes, "state");
	const char *is_1904 = xlsx_attribute(attributes, "date1904");

	if (strcmp(name, "workbookPr") == 0 && is_1904 != NULL)
		search->book->is_1904 = strcmp(is_1904, "1") == 0 || strcmp(is_1904, "true") == 0;
	if (strcmp(name, "sheet") != 0 || id == NULL)
		return;
	if (search->first[0] == '\0' && !copy(search->first, sizeof search->first, id, strlen(id)))
		fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
	if (search->shown[0] == '\0' && (state == NULL || strcmp(state, "visible") == 0)
		&& !copy(search->shown, sizeof search->shown, id, strlen(id)))
		fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
}

static void
take_relation(void *context, const char *name, const char **attributes)
{
	struct search *search = context;
	const char *type = xlsx_attribute(attributes, "Type"), *id = xlsx_attribute(attributes, "Id");
	const char *wanted = search->shown[0] != '\0' ? search->shown : search->first;

	if (strcmp(name, "Relationship") != 0 || type == NULL || id == NULL)
		return;
	if (strcmp(id, wanted) == 0)
		follow(search, search->workbook, attributes, search->book->sheet);
	else if (ends_with(type, "/sharedStrings"))
		follow(search, search->workbook, attributes, search->book->strings);
	else if (ends_with(type, "/styles"))
		follow(search, search->workbook, attributes, search->book->styles);
}

static enum xlsx_format
format_by_id(const struct search *search, long id)
{
	for (size_t i = 0; i < search->own_count; i++)
		if (search->own[i].id == id)
			return search->own[i].format;
	return xlsx_format_builtin(id);
}

/* Formats stand before the styles that name them. */
static void
take_style(void *context, const char *name, const char **attributes)
{
	struct search *search = context;
	struct xlsx_book *book = search->book;
	const char *id = xlsx_attribute(attributes, "numFmtId"), *code = xlsx_attribute(attributes, "formatCode");

	if (strcmp(name, "cellXfs") == 0)
		search->is_in_cell_formats = true;
	if (strcmp(name, "numFmt") == 0 && id != NULL && code != NULL) {
		if (search->own_count == OWN_FORMATS_MAX) {
			fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
			return;
		}
		search->own[search->own_count++] = (struct own_format){ strtol(id, NULL, 10), xlsx_format_of(code) };
	}
	if (strcmp(name, "xf") == 0 && search->is_in_cell_formats) {
		if (book->formats_count == XLSX_STYLES_MAX) {
			fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
			return;
		}
		book->formats[book->formats_count++] = (uint8_t)(id != NULL ? format_by_id(search, strtol(id, NULL, 10)) : XLSX_PLAIN);
	}
}

static void
end_style(void *context, const char *name)
{
	struct search *search = context;

	if (strcmp(name, "cellXfs") == 0)
		search->is_in_cell_formats = false;
}

static bool
find_workbook(struct search *search, struct xlsx_archive *archive)
{
	static const struct xlsx_handlers handlers = { take_package_relation, ignore_end, NULL };

	if (xlsx_archive_has(archive, "_rels/.rels") && !xlsx_archive_read(archive, "_rels/.rels", &handlers, search))
		return false;
	if (search->workbook[0] != '\0' && xlsx_archive_has(archive, search->workbook) && !ends_with(search->workbook, ".bin"))
		return true;
	fail(search, search->workbook[0] == '\0' && xlsx_archive_holds_archive(archive)
		? PARSER_FAULT_ARCHIVE_NESTED : PARSER_FAULT_NOT_A_WORKBOOK);
	return false;
}

/* xl/workbook.xml: xl/_rels/workbook.xml.rels. */
static bool
find_parts(struct search *search, struct xlsx_archive *archive)
{
	static const struct xlsx_handlers workbook = { take_workbook, ignore_end, NULL };
	static const struct xlsx_handlers relations = { take_relation, ignore_end, NULL };
	const char *slash = strrchr(search->workbook, '/');
	const size_t folder = slash != NULL ? (size_t)(slash - search->workbook) + 1 : 0;
	char part[XLSX_PART_BYTES + 16] = "";

	strncat(part, search->workbook, folder);
	strcat(part, "_rels/");
	strcat(part, search->workbook + folder);
	strcat(part, ".rels");
	if (!xlsx_archive_read(archive, search->workbook, &workbook, search))
		return false;
	if (!xlsx_archive_has(archive, part)) {
		fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
		return false;
	}
	if (!xlsx_archive_read(archive, part, &relations, search))
		return false;
	if (!xlsx_archive_has(archive, search->book->sheet))
		fail(search, PARSER_FAULT_WORKBOOK_BROKEN);
	return !row_writer_has_failed(search->writer);
}

static bool
read_styles(struct search *search, struct xlsx_archive *archive)
{
	static const struct xlsx_handlers handlers = { take_style, end_style, NULL };

	if (!xlsx_archive_has(archive, search->book->styles))
		return true;
	search->own = xcalloc(OWN_FORMATS_MAX, sizeof *search->own);
	search->book->formats = xcalloc(XLSX_STYLES_MAX, 1);
	return xlsx_archive_read(archive, search->book->styles, &handlers, search);
}

bool
xlsx_book_read(struct xlsx_book *book, struct xlsx_archive *archive, struct row_writer *writer)
{
	struct search search = { .book = book, .writer = writer };
	bool is_read;

	*book = (struct xlsx_book){ .formats = NULL };
	is_read = find_workbook(&search, archive) && find_parts(&search, archive) && read_styles(&search, archive);
	free(search.own);
	return is_read;
}

void
xlsx_book_free(struct xlsx_book *book)
{
	free(book->formats);
	book->formats = NULL;
}
