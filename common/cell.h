/*
 * cell: text that a spreadsheet must not take for a formula (OWASP, CSV Injection).
 *
 * A CSV says nothing of types: what begins like a formula is one to whoever opens the file,
 * and people write their own names. Such a text gets an apostrophe before it, which
 * spreadsheets know as "this is text". Whatever text goes in, restored it is itself again,
 * so that what was exported (each phone number begins with a plus) can be imported.
 *
 * Only for CSV. A workbook knows texts from formulas: nothing is added there, and nothing
 * must be taken away.
 */
#ifndef ROLLCALL_CELL_H
#define ROLLCALL_CELL_H

struct buffer;

/* Appends the text as it may stand in a CSV, before quotation marks are seen to. */
void cell_neutralise(struct buffer *out, const char *text);
/* Undoes it: the text itself, or what stands behind an apostrophe that we would have put. */
const char *cell_restore(const char *text);

#endif
