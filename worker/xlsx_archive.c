/*
 * xlsx_archive: libzip, expat, and the limits of both.
 *
 * Nothing that an archive says of itself is true: a part that declares 100 bytes may
 * hold a gigabyte, so bytes are counted where they come out. expat keeps a tag until
 * it ends and scans it anew with each block, so a tag without an end is cut short.
 */
#include "xlsx_archive.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <expat.h>
#include <zip.h>

#include "memory.h"

enum {
	PARTS_MAX = 256,
	INFLATED_MAX = 256 * 1024 * 1024,
	DEPTH_MAX = 64,
	TOKEN_MAX = 1024 * 1024,
	BLOCK_BYTES = 65536,
};

struct xlsx_archive {
	zip_t *zip;
	struct row_writer *writer;
	size_t inflated;	/* bytes that came out so far, of all parts */
};

/* A part while it is read. */
struct reading {
	struct row_writer *writer;
	const struct xlsx_handlers *handlers;
	void *context;
	XML_Parser xml;
	int depth;
	bool has_moved;		/* expat got something out of the block */
};

static bool
fail(struct row_writer *writer, enum parser_fault_kind kind)
{
	return row_writer_fail(writer, kind, writer->number, 0);
}

/* Nothing is ever written under these names; but whoever made them meant harm. */
static bool
leads_outside(const char *name)
{
	if (name[0] == '/' || name[0] == '\\' || (name[0] != '\0' && name[1] == ':'))
		return true;
	for (const char *piece = name; *piece != '\0';) {
		const size_t length = strcspn(piece, "/\\");

		if (length == 2 && memcmp(piece, "..", 2) == 0)
			return true;
		piece += length + (piece[length] != '\0');
	}
	return false;
}

static bool
check_part(struct xlsx_archive *archive, zip_uint64_t index, zip_uint64_t *declared)
{
	zip_stat_t part;

	zip_stat_init(&part);
	if (zip_stat_index(archive->zip, index, ZIP_FL_ENC_RAW, &part) != 0 || part.name == NULL
		|| (part.valid & ZIP_STAT_SIZE) == 0)
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_BROKEN);
	if (leads_outside(part.name))
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_PATH);
	if (part.encryption_method != ZIP_EM_NONE)
		return fail(archive->writer, PARSER_FAULT_ENCRYPTED);
	if (part.comp_method != ZIP_CM_STORE && part.comp_method != ZIP_CM_DEFLATE)
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_METHOD);
	/* No sum can wrap: each is checked before the next is added. */
	if (part.size > INFLATED_MAX || (*declared += part.size) > INFLATED_MAX)
		return fail(archive->writer, PARSER_FAULT_INFLATES);
	return true;
}

static bool
check_parts(struct xlsx_archive *archive)
{
	const zip_int64_t count = zip_get_num_entries(archive->zip, 0);
	zip_uint64_t declared = 0;

	if (count > PARTS_MAX)
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_PARTS);
	for (zip_int64_t i = 0; i < count; i++)
		if (!check_part(archive, (zip_uint64_t)i, &declared))
			return false;
	return true;
}

struct xlsx_archive *
xlsx_archive_open(const uint8_t *bytes, size_t length, struct row_writer *writer)
{
	struct xlsx_archive *archive = xcalloc(1, sizeof *archive);
	zip_source_t *source = zip_source_buffer_create(bytes, length, 0, NULL);

	archive->writer = writer;
	archive->zip = source != NULL ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, NULL) : NULL;
	if (archive->zip == NULL) {
		zip_source_free(source);
		fail(writer, PARSER_FAULT_ARCHIVE_BROKEN);
	}
	if (archive->zip == NULL || !check_parts(archive))
		xlsx_archive_free(&archive);
	return archive;
}

void
xlsx_archive_free(struct xlsx_archive **archive)
{
	if (*archive == NULL)
		return;
	if ((*archive)->zip != NULL)
		zip_discard((*archive)->zip);
	free(*archive);
	*archive = NULL;
}

bool
xlsx_archive_has(const struct xlsx_archive *archive, const char *part)
{
	return zip_name_locate(archive->zip, part, ZIP_FL_NOCASE) >= 0;
}

bool
xlsx_archive_holds_archive(const struct xlsx_archive *archive)
{
	static const char *const endings[] = { ".zip", ".xlsx", ".xlsm", ".7z", ".rar", ".gz" };
	const zip_int64_t count = zip_get_num_entries(archive->zip, 0);

	for (zip_int64_t i = 0; i < count; i++) {
		const char *name = zip_get_name(archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
		const size_t length = name != NULL ? strlen(name) : 0;

		for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
			if (length > strlen(endings[k]) && strcasecmp(name + length - strlen(endings[k]), endings[k]) == 0)
				return true;
	}
	return false;
}

static const char *
without_prefix(const char *name)
{
	const char *colon = strrchr(name, ':');

	return colon != NULL ? colon + 1 : name;
}

const char *
xlsx_attribute(const char **attributes, const char *name)
{
	for (; *attributes != NULL; attributes += 2)
		if (strcmp(without_prefix(attributes[0]), name) == 0)
			return attributes[1];
	return NULL;
}

/* A fault, found here or by a handler, ends the reading. */
static void
stop_if_failed(struct reading *reading)
{
	if (row_writer_has_failed(reading->writer))
		XML_StopParser(reading->xml, XML_FALSE);
}

static void
take_start(void *context, const char *name, const char **attributes)
{
	struct reading *reading = context;

	reading->has_moved = true;
	if (++reading->depth > DEPTH_MAX)
		fail(reading->writer, PARSER_FAULT_DEPTH);
	else
		reading->handlers->start(reading->context, without_prefix(name), attributes);
	stop_if_failed(reading);
}

static void
take_end(void *context, const char *name)
{
	struct reading *reading = context;

	reading->has_moved = true;
	reading->depth--;
	/* The end of an empty element comes even after its start has stopped the parser. */
	if (!row_writer_has_failed(reading->writer))
		reading->handlers->end(reading->context, without_prefix(name));
	stop_if_failed(reading);
}

static void
take_text(void *context, const char *bytes, int length)
{
	struct reading *reading = context;

	reading->has_moved = true;
	if (reading->handlers->text != NULL && !row_writer_has_failed(reading->writer))
		reading->handlers->text(reading->context, bytes, (size_t)length);
	stop_if_failed(reading);
}

/* Before any entity can be declared. */
static void
take_doctype(void *context, const char *name, const char *system, const char *public, int has_internal)
{
	struct reading *reading = context;

	(void)name, (void)system, (void)public, (void)has_internal;
	fail(reading->writer, PARSER_FAULT_DOCTYPE);
	stop_if_failed(reading);
}

static bool
feed(struct reading *reading, const char *block, size_t length, bool is_last)
{
	if (XML_Parse(reading->xml, block, (int)length, is_last) == XML_STATUS_OK)
		return !row_writer_has_failed(reading->writer);
	return fail(reading->writer, XML_GetErrorCode(reading->xml) == XML_ERROR_NO_MEMORY
		? PARSER_FAULT_MEMORY : PARSER_FAULT_XML);
}

static bool
read_part(struct xlsx_archive *archive, zip_file_t *part, struct reading *reading)
{
	size_t unmoved = 0, total = 0;
	char block[BLOCK_BYTES];
	zip_int64_t length;

	while ((length = zip_fread(part, block, sizeof block)) > 0) {
		archive->inflated += (size_t)length;
		if (archive->inflated > INFLATED_MAX)
			return fail(archive->writer, PARSER_FAULT_INFLATES);
		/* An archive where XML should be: the next bomb. */
		if (total == 0 && length >= 4 && memcmp(block, "PK\3\4", 4) == 0)
			return fail(archive->writer, PARSER_FAULT_ARCHIVE_NESTED);
		total += (size_t)length;
		reading->has_moved = false;
		if (!feed(reading, block, (size_t)length, false))
			return false;
		unmoved = reading->has_moved ? 0 : unmoved + (size_t)length;
		if (unmoved > TOKEN_MAX)
			return fail(archive->writer, PARSER_FAULT_TOKEN_TOO_LONG);
	}
	if (length < 0)
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_BROKEN);
	return feed(reading, block, 0, true);
}

bool
xlsx_archive_read(struct xlsx_archive *archive, const char *name, const struct xlsx_handlers *handlers,
	void *context)
{
	struct reading reading = { .writer = archive->writer, .handlers = handlers, .context = context };
	const zip_int64_t index = zip_name_locate(archive->zip, name, ZIP_FL_NOCASE);
	zip_file_t *part = index >= 0 ? zip_fopen_index(archive->zip, (zip_uint64_t)index, 0) : NULL;
	bool is_read;

	if (part == NULL)
		return fail(archive->writer, PARSER_FAULT_ARCHIVE_BROKEN);
	reading.xml = XML_ParserCreate(NULL);
	if (reading.xml == NULL)
		abort();
	XML_SetUserData(reading.xml, &reading);
	XML_SetElementHandler(reading.xml, take_start, take_end);
	XML_SetCharacterDataHandler(reading.xml, take_text);
	XML_SetStartDoctypeDeclHandler(reading.xml, take_doctype);
	is_read = read_part(archive, part, &reading);
	XML_ParserFree(reading.xml);
	zip_fclose(part);
	return is_read;
}
