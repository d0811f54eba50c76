/*
 * template_parse: parses and fills templates.
 *
 * Nodes lie flat in the order of the text; a section knows the index behind its
 * last node, so filling is one loop and needs no stack. Tags that open or close a
 * section alone on their line take the whole line with them, as in mustache.
 */
#include "template_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { DEEPEST = 8 };

enum node_kind {
	NODE_TEXT,
	NODE_VALUE,
	NODE_WHEN,	/* {{#name}}: nodes up to `end` only when the value is there */
	NODE_UNLESS,	/* {{^name}}: only when it is not */
};

struct template_node {
	enum node_kind kind;
	const char *text;	/* NODE_TEXT: in the body's source */
	size_t length;
	const struct value_name *name;
	int end;
};

static const struct value_name {
	const char *word;
	size_t offset;		/* of a const char * in struct template_scope */
	bool only_in_frame;
	bool is_html;
} value_names[] = {
#define VALUE(member) { #member, offsetof(struct template_scope, values.member), false, false }
	VALUE(organization), VALUE(first_name), VALUE(full_name), VALUE(login),
	VALUE(recipient_name), VALUE(link), VALUE(expires_at), VALUE(sign_in_url),
	VALUE(forgot_password_url), VALUE(days), VALUE(idle_on), VALUE(list), VALUE(count),
	VALUE(contact_email), VALUE(file_name), VALUE(rows), VALUE(created), VALUE(updated),
	VALUE(errors), VALUE(applied),
#undef VALUE
	{ "language", offsetof(struct template_scope, language), true, false },
	{ "subject", offsetof(struct template_scope, subject), true, false },
	{ "content", offsetof(struct template_scope, content), true, true },
};

/* One {{tag}} of a text. */
struct tag {
	const char *begin, *end;	/* with its braces, or with its whole line */
	char sign;			/* # ^ / or 0 */
	const char *word;
	size_t length;
};

struct parser {
	struct template_body *body;
	const char *path;
	bool is_frame;
	struct buffer *faults;
	int open[DEEPEST];	/* nodes of the sections that are open */
	int depth;
};

void
template_fault(struct buffer *faults, const char *path, const char *words)
{
	buffer_printf(faults, "%s%s: %s", faults->length > 0 ? "; " : "", path, words);
}

static void
fault_at(struct parser *parser, const char *words, const struct tag *tag)
{
	struct buffer text = BUFFER_INIT;

	buffer_printf(&text, "%s {{%.*s}}", words, (int)tag->length, tag->word);
	template_fault(parser->faults, parser->path, buffer_text(&text));
	buffer_free(&text);
}

static const struct value_name *
find_name(const char *word, size_t length, bool is_frame)
{
	for (size_t i = 0; i < sizeof value_names / sizeof *value_names; i++)
		if (strlen(value_names[i].word) == length && strncmp(value_names[i].word, word, length) == 0
			&& (is_frame || !value_names[i].only_in_frame))
			return &value_names[i];
	return NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* A section's tag alone on its line takes the line's blanks and end with it. */
static void
tag_widen(struct tag *tag, const char *source)
{
	const char *left = tag->begin, *right = tag->end;

	while (left > source && is_blank(left[-1]))
		left--;
	while (is_blank(*right))
		right++;
	if ((left > source && left[-1] != '\n') || (*right != '\n' && *right != '\0'))
		return;
	tag->begin = left;
	tag->end = *right == '\n' ? right + 1 : right;
}

/* The next tag at or after `at`; false when there is none, or it does not end. */
static bool
tag_find(const char *source, const char *at, struct tag *tag)
{
	const char *begin = strstr(at, "{{"), *end = begin != NULL ? strstr(begin, "}}") : NULL;

	if (end == NULL)
		return false;
	*tag = (struct tag){ .begin = begin, .end = end + 2, .word = begin + 2 };
	if (strchr("#^/", *tag->word) != NULL)
		tag->sign = *tag->word++;
	while (is_blank(*tag->word))
		tag->word++;
	while (end > tag->word && is_blank(end[-1]))
		end--;
	tag->length = (size_t)(end - tag->word);
	if (tag->sign != '\0')
		tag_widen(tag, source);
	return true;
}

static void
add_node(struct template_body *body, struct template_node node)
{
	body->nodes = xrealloc(body->nodes, (size_t)(body->count + 1) * sizeof *body->nodes);
	body->nodes[body->count++] = node;
}

static void
add_text(struct template_body *body, const char *begin, const char *end)
{
	if (end > begin)
		add_node(body, (struct template_node){
			.kind = NODE_TEXT, .text = begin, .length = (size_t)(end - begin),
		});
}

static void
close_section(struct parser *parser, const struct tag *tag)
{
	struct template_node *section;

	if (parser->depth == 0) {
		fault_at(parser, "closes nothing:", tag);
		return;
	}
	section = &parser->body->nodes[parser->open[--parser->depth]];
	section->end = parser->body->count;
	if (find_name(tag->word, tag->length, parser->is_frame) != section->name)
		fault_at(parser, "closes another section:", tag);
}

static void
take_tag(struct parser *parser, const struct tag *tag)
{
	const struct value_name *name = find_name(tag->word, tag->length, parser->is_frame);
	enum node_kind kind = tag->sign == '#' ? NODE_WHEN : tag->sign == '^' ? NODE_UNLESS : NODE_VALUE;

	if (name == NULL) {
		fault_at(parser, "unknown name", tag);
	} else if (tag->sign == '/') {
		close_section(parser, tag);
	} else if (kind != NODE_VALUE && parser->depth == DEEPEST) {
		fault_at(parser, "too deep:", tag);
	} else {
		if (kind != NODE_VALUE)
			parser->open[parser->depth++] = parser->body->count;
		add_node(parser->body, (struct template_node){ .kind = kind, .name = name });
	}
}

void
template_parse(struct template_body *body, const char *path, const char *text,
	bool is_frame, struct buffer *faults)
{
	struct parser parser = {
		.body = body, .path = path, .is_frame = is_frame, .faults = faults,
	};
	const char *at;
	struct tag tag;

	*body = (struct template_body){ .source = xstrdup(text) };
	for (at = body->source; tag_find(body->source, at, &tag); at = tag.end) {
		add_text(body, at, tag.begin);
		take_tag(&parser, &tag);
	}
	if (strstr(at, "{{") != NULL)
		template_fault(faults, path, "a {{ without its }}");
	add_text(body, at, at + strlen(at));
	while (parser.depth > 0) {
		struct template_node *section = &body->nodes[parser.open[--parser.depth]];

		section->end = body->count;
		template_fault(faults, path, "a section without its end");
	}
}

bool
template_always_shows(const struct template_body *body, const char *word)
{
	int i = 0;

	while (i < body->count) {
		const struct template_node *node = &body->nodes[i];

		if (node->kind == NODE_VALUE && strcmp(node->name->word, word) == 0)
			return true;
		i = node->kind == NODE_WHEN || node->kind == NODE_UNLESS ? node->end : i + 1;
	}
	return false;
}

void
template_body_free(struct template_body *body)
{
	free(body->source);
	free(body->nodes);
	*body = (struct template_body){ .source = NULL };
}

/* What is not there is empty. */
static const char *
value_of(const struct template_scope *scope, const struct value_name *name)
{
	const char *value = *(const char *const *)((const char *)scope + name->offset);

	return value != NULL ? value : "";
}

static void
put_html(struct buffer *out, const char *value)
{
	while (*value != '\0') {
		size_t plain = strcspn(value, "&<>\"'\n");

		buffer_append(out, value, plain);
		value += plain;
		switch (*value) {
		case '&': buffer_puts(out, "&amp;"); break;
		case '<': buffer_puts(out, "&lt;"); break;
		case '>': buffer_puts(out, "&gt;"); break;
		case '"': buffer_puts(out, "&quot;"); break;
		case '\'': buffer_puts(out, "&#39;"); break;
		case '\n': buffer_puts(out, "<br>\n"); break;
		default: return;
		}
		value++;
	}
}

void
template_fill(const struct template_body *body, const struct template_scope *scope,
	enum template_target target, struct buffer *out)
{
	for (int i = 0; i < body->count; i++) {
		const struct template_node *node = &body->nodes[i];
		const char *value;

		if (node->kind == NODE_TEXT) {
			buffer_append(out, node->text, node->length);
			continue;
		}
		value = value_of(scope, node->name);
		if (node->kind != NODE_VALUE) {
			if ((value[0] != '\0') != (node->kind == NODE_WHEN))
				i = node->end - 1;
		} else if (target == TEMPLATE_HTML && !node->name->is_html) {
			put_html(out, value);
		} else {
			buffer_puts(out, value);
		}
	}
}

/* The button's text with its two tags filled in; other tags stay for the parser. */
static void
put_button(struct buffer *out, const char *button, const char *url, size_t url_length,
	const char *label, size_t label_length)
{
	const char *next;

	while ((next = strstr(button, "{{")) != NULL) {
		buffer_append(out, button, (size_t)(next - button));
		if (strncmp(next, "{{url}}", 7) == 0) {
			buffer_printf(out, "{{%.*s}}", (int)url_length, url);
			button = next + 7;
		} else if (strncmp(next, "{{label}}", 9) == 0) {
			buffer_append(out, label, label_length);
			button = next + 9;
		} else {
			buffer_puts(out, "{{");
			button = next + 2;
		}
	}
	buffer_puts(out, button);
}

void
template_expand_buttons(const char *text, const char *button, const char *path,
	struct buffer *out, struct buffer *faults)
{
	static const char opening[] = "{{>button ", closing[] = "{{/button}}";
	const char *begin;

	while ((begin = strstr(text, opening)) != NULL) {
		const char *url = begin + sizeof opening - 1;
		size_t url_length = strcspn(url, "} \n");
		bool is_closed = strncmp(url + url_length, "}}", 2) == 0;
		const char *label = url + url_length + (is_closed ? 2 : 0);
		const char *end = is_closed ? strstr(label, closing) : NULL;

		if (end == NULL) {
			template_fault(faults, path, "a {{>button …}} without its {{/button}}");
			return;
		}
		buffer_append(out, text, (size_t)(begin - text));
		put_button(out, button, url, url_length, label, (size_t)(end - label));
		text = end + sizeof closing - 1;
	}
	buffer_puts(out, text);
}
