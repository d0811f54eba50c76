/*
 * parser_wire: writes frames, and reads them with suspicion.
 *
 * A reader walks over a frame with what is left of it in hand: `take` hands out bytes
 * only while there are any, so no length that the frame names is ever trusted.
 */
#include "parser_wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "charset.h"
#include "memory.h"
#include "row_writer.h"
#include "utf8.h"

enum {
	HEAD_BYTES = 1 + 4,
	CELL_HEAD_BYTES = 1 + 4,
	FRAME_MAX = 8 + PARSER_COLUMNS_MAX * (CELL_HEAD_BYTES + PARSER_CELL_BYTES_MAX + 1),
	READ_BYTES = 65536,
};

static void
put(struct buffer *out, const void *bytes, size_t length)
{
	buffer_append(out, bytes, length);
}

/* A frame's length is known when it is whole. */
static size_t
begin_frame(struct buffer *out, char kind)
{
	buffer_putc(out, kind);
	put(out, &(uint32_t){ 0 }, 4);
	return out->length;
}

static void
end_frame(struct buffer *out, size_t begin)
{
	const uint32_t length = (uint32_t)(out->length - begin);

	memcpy(out->data + begin - 4, &length, 4);
}

void
parser_wire_put_file(struct buffer *out, const struct parser_file *file)
{
	const size_t begin = begin_frame(out, 'f');
	const char bytes[] = {
		(char)file->format, (char)charset_by_name(file->charset), (char)file->is_guess,
		(char)file->sure_percent, file->delimiter,
	};

	put(out, bytes, sizeof bytes);
	end_frame(out, begin);
}

void
parser_wire_put_row(struct buffer *out, const struct parser_row *row)
{
	const size_t begin = begin_frame(out, 'r');
	const uint32_t count = (uint32_t)row->count;

	put(out, &row->number, 4);
	put(out, &count, 4);
	for (int i = 0; i < row->count; i++) {
		buffer_putc(out, (char)row->cells[i].value);
		put(out, &row->cells[i].length, 4);
		put(out, row->cells[i].text, row->cells[i].length + 1);
	}
	end_frame(out, begin);
}

void
parser_wire_put_end(struct buffer *out, const struct parser_fault *fault)
{
	const size_t begin = begin_frame(out, 'e');
	const uint32_t numbers[3] = { fault->kind, fault->row, fault->column };

	put(out, numbers, sizeof numbers);
	end_frame(out, begin);
}

/* What is left of a frame. */
struct rest {
	const char *at;
	size_t length;
};

/* The next bytes; NULL: there are fewer. */
static const char *
take(struct rest *rest, size_t length)
{
	const char *at = rest->at;

	if (length > rest->length)
		return NULL;
	rest->at += length;
	rest->length -= length;
	return at;
}

static bool
take_number(struct rest *rest, uint32_t *number)
{
	const char *bytes = take(rest, 4);

	if (bytes != NULL)
		memcpy(number, bytes, 4);
	return bytes != NULL;
}

static enum parser_wire_step
read_file(struct parser_wire *wire, struct rest rest)
{
	const unsigned char *bytes = (const unsigned char *)take(&rest, 5);

	if (bytes == NULL || rest.length > 0 || wire->has_file)
		return PARSER_WIRE_LIE;
	if (bytes[0] > PARSER_XLSX || bytes[1] == CHARSET_UNKNOWN || bytes[1] >= CHARSET_COUNT || bytes[2] > 1 || bytes[3] > 100)
		return PARSER_WIRE_LIE;
	if (bytes[0] == PARSER_CSV ? bytes[4] != ',' && bytes[4] != ';' && bytes[4] != '\t' : bytes[4] != 0)
		return PARSER_WIRE_LIE;
	wire->has_file = true;
	wire->file = (struct parser_file){
		.format = (enum parser_format)bytes[0], .charset = charset_name((enum charset)bytes[1]),
		.is_guess = bytes[2] == 1, .sure_percent = bytes[3], .delimiter = (char)bytes[4],
	};
	return PARSER_WIRE_FILE;
}

static bool
read_cell(struct parser_wire *wire, struct rest *rest, struct parser_cell *cell)
{
	const char *value = take(rest, 1);
	uint32_t length;

	if (value == NULL || (unsigned char)*value > PARSER_NO_VALUE || !take_number(rest, &length) || length > PARSER_CELL_BYTES_MAX)
		return false;
	*cell = (struct parser_cell){ .text = take(rest, (size_t)length + 1), .length = length, .value = (enum parser_value) * value };
	wire->total += length;
	return cell->text != NULL && memchr(cell->text, '\0', (size_t)length + 1) == cell->text + length
		&& utf8_is_valid(cell->text, length);
}

static enum parser_wire_step
read_row(struct parser_wire *wire, struct rest rest)
{
	uint32_t number, count;

	if (!wire->has_file || !take_number(&rest, &number) || !take_number(&rest, &count))
		return PARSER_WIRE_LIE;
	if (number <= wire->last_row || number > PARSER_ROWS_MAX || count == 0 || count > PARSER_COLUMNS_MAX)
		return PARSER_WIRE_LIE;
	for (uint32_t i = 0; i < count; i++)
		if (!read_cell(wire, &rest, &wire->cells[i]))
			return PARSER_WIRE_LIE;
	if (rest.length > 0 || wire->total > ROW_WRITER_TEXT_MAX)
		return PARSER_WIRE_LIE;
	wire->last_row = number;
	wire->row = (struct parser_row){ .number = number, .count = (int)count, .cells = wire->cells };
	return PARSER_WIRE_ROW;
}

/* What only the parent finds out, it does not let itself be told. */
static enum parser_wire_step
read_end(struct parser_wire *wire, struct rest rest)
{
	uint32_t kind, row, column;

	if (!take_number(&rest, &kind) || !take_number(&rest, &row) || !take_number(&rest, &column) || rest.length > 0)
		return PARSER_WIRE_LIE;
	if (kind > PARSER_FAULT_MEMORY || (kind == PARSER_FAULT_NONE && wire->last_row == 0))
		return PARSER_WIRE_LIE;
	wire->has_ended = true;
	wire->fault = (struct parser_fault){ .kind = (enum parser_fault_kind)kind, .row = row, .column = column };
	return PARSER_WIRE_END;
}

char *
parser_wire_room(struct parser_wire *wire, size_t *size)
{
	if (wire->begin > 0) {
		memmove(wire->bytes, wire->bytes + wire->begin, wire->end - wire->begin);
		wire->end -= wire->begin;
		wire->begin = 0;
	}
	if (wire->capacity - wire->end < READ_BYTES) {
		wire->capacity = wire->end + wire->end / 2 + 2 * (size_t)READ_BYTES;
		wire->bytes = xrealloc(wire->bytes, wire->capacity);
	}
	*size = wire->capacity - wire->end;
	return wire->bytes + wire->end;
}

void
parser_wire_add(struct parser_wire *wire, size_t length)
{
	assert(length <= wire->capacity - wire->end);
	wire->end += length;
}

enum parser_wire_step
parser_wire_next(struct parser_wire *wire)
{
	struct rest rest = { wire->bytes + wire->begin, wire->end - wire->begin };
	const char *kind;
	uint32_t length;

	if (wire->has_ended)
		return rest.length > 0 ? PARSER_WIRE_LIE : PARSER_WIRE_MORE;
	if (rest.length < HEAD_BYTES)
		return PARSER_WIRE_MORE;
	kind = take(&rest, 1);
	if (!take_number(&rest, &length) || length > FRAME_MAX)
		return PARSER_WIRE_LIE;
	if (rest.length < length)
		return PARSER_WIRE_MORE;
	rest.length = length;
	wire->begin += HEAD_BYTES + (size_t)length;
	switch (*kind) {
	case 'f':
		return read_file(wire, rest);
	case 'r':
		return read_row(wire, rest);
	case 'e':
		return read_end(wire, rest);
	default:
		return PARSER_WIRE_LIE;
	}
}

void
parser_wire_free(struct parser_wire *wire)
{
	free(wire->bytes);
	*wire = (struct parser_wire){ .bytes = NULL };
}
