/*
 * parser_wire: what goes from the child that parses to its parent, in frames: a
 * letter, the length of what follows, and that.
 *
 * The parent believes nothing of it. A frame that is too long, a cell that runs out of
 * its row, a text that is no UTF-8, a row out of order, a word too many: each is a
 * lie, and the end. Both ends are the same program on the same machine, so numbers
 * are as the machine has them.
 */
#ifndef ROLLCALL_PARSER_WIRE_H
#define ROLLCALL_PARSER_WIRE_H

#include "buffer.h"
#include "parser.h"

/* The child's end: appends one frame. */
void parser_wire_put_file(struct buffer *out, const struct parser_file *file);
void parser_wire_put_row(struct buffer *out, const struct parser_row *row);
/* The last frame: PARSER_FAULT_NONE when all is well. */
void parser_wire_put_end(struct buffer *out, const struct parser_fault *fault);

enum parser_wire_step {
	PARSER_WIRE_MORE,	/* no whole frame is there yet */
	PARSER_WIRE_FILE,
	PARSER_WIRE_ROW,
	PARSER_WIRE_END,
	PARSER_WIRE_LIE,
};

/* The parent's end. Starts zeroed. */
struct parser_wire {
	char *bytes;		/* [begin, end) is not looked at yet */
	size_t begin, end, capacity;
	size_t total;		/* bytes of text in all rows so far */
	bool has_file, has_ended;
	uint32_t last_row;
	struct parser_file file;
	struct parser_row row;	/* until the next step or room */
	struct parser_fault fault;
	struct parser_cell cells[PARSER_COLUMNS_MAX];
};

/* Where the next bytes may be put, *size of them; then they are added. */
char *parser_wire_room(struct parser_wire *wire, size_t *size);
void parser_wire_add(struct parser_wire *wire, size_t length);
/* What the next frame was: it lies in `file`, `row` or `fault`. */
enum parser_wire_step parser_wire_next(struct parser_wire *wire);
void parser_wire_free(struct parser_wire *wire);

#endif
