/*
 * template_parse: the language of the templates (template.h describes it): from
 * text to a list of nodes, and from nodes and values to text.
 */
#ifndef ROLLCALL_TEMPLATE_PARSE_H
#define ROLLCALL_TEMPLATE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "template.h"

/* What a name in a template may mean. */
struct template_scope {
	struct template_values values;
	/* these only in the frame */
	const char *language;
	const char *subject;
	const char *content;	/* HTML already: not escaped again */
};

struct template_node;

/* A parsed text. All zero: empty. */
struct template_body {
	char *source;
	struct template_node *nodes;
	int count;
};

enum template_target { TEMPLATE_TEXT, TEMPLATE_HTML };

/* Parses a copy of `text`. Faults are appended to `faults`; the body is then
 * incomplete, but may be freed and filled. */
void template_parse(struct template_body *body, const char *path, const char *text,
	bool is_frame, struct buffer *faults);
/* Whether the value stands outside of all sections. */
bool template_always_shows(const struct template_body *body, const char *word);
void template_body_free(struct template_body *body);
void template_fill(const struct template_body *body, const struct template_scope *scope,
	enum template_target target, struct buffer *out);

/* Replaces every {{>button NAME}}LABEL{{/button}} of `text` by the text of the
 * button, with {{url}} for NAME and {{label}} for LABEL. */
void template_expand_buttons(const char *text, const char *button, const char *path,
	struct buffer *out, struct buffer *faults);

/* Adds "path: words" to a list of faults. */
void template_fault(struct buffer *faults, const char *path, const char *words);

#endif
