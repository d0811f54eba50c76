/*
 * Regular expressions as sets of states (Thompson's construction).
 *
 * An expression is read into a tree, the tree written out as a program of at most
 * PATTERN_STATES_MAX states, and a text is led through all its ways at once. What is always
 * true: no step depends on what was matched before, so nothing is ever tried twice; writing
 * out is counted too, so that nested repetitions of nothing end as well.
 */
#include "pattern.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"
#include "utf8.h"

enum { GROUPS_MAX = 20, REPEAT_MAX = 1000, UNBOUNDED = -1, WRITE_STEPS_MAX = 10 * PATTERN_STATES_MAX };

/* Characters from `from` to `to`, both of them. */
struct range {
	uint32_t from, to;
};

/* Its ranges among those of the pattern. */
struct class {
	int first, count;
	bool is_negated;
};

enum node_type { NODE_EMPTY, NODE_CLASS, NODE_SEQUENCE, NODE_EITHER, NODE_REPEAT };

struct node {
	enum node_type type;
	int class;
	const struct node *left, *right;	/* NODE_REPEAT: left */
	int least, most;
};

enum operation { TAKE, SPLIT, MATCH };

struct state {
	enum operation operation;
	int class;			/* TAKE */
	int next, other;		/* other: SPLIT */
};

/* A character of the expression makes at most one class, and at most two ranges: a dot has
 * two, the two of \w have four. */
struct pattern {
	struct state states[PATTERN_STATES_MAX];
	struct class classes[PATTERN_LENGTH_MAX];
	struct range ranges[2 * PATTERN_LENGTH_MAX];
	int state_count, class_count, range_count;
};

/* ---- From text to tree. */

struct reader {
	struct arena *arena;
	struct pattern *pattern;
	const char *at;
	int groups;			/* open now */
	const char *reason;		/* the first fault */
};

static const struct node *read_alternatives(struct reader *reader);

static const struct node *
refuse(struct reader *reader, const char *reason)
{
	if (reader->reason == NULL)
		reader->reason = reason;
	return NULL;
}

static struct node *
make_node(struct reader *reader, enum node_type type)
{
	struct node *node = arena_take(reader->arena, sizeof(*node));

	node->type = type;
	return node;
}

static uint32_t
read_character(struct reader *reader)
{
	uint32_t c = 0;

	reader->at += utf8_decode(reader->at, strlen(reader->at), &c);
	return c;
}

/* A class that takes nothing yet; ranges that are added from now on are its own. */
static struct node *
make_class(struct reader *reader, bool is_negated)
{
	struct pattern *pattern = reader->pattern;
	struct node *node = make_node(reader, NODE_CLASS);

	node->class = pattern->class_count;
	pattern->classes[pattern->class_count++] =
		(struct class){ .first = pattern->range_count, .is_negated = is_negated };
	return node;
}

static void
add_range(struct reader *reader, uint32_t from, uint32_t to)
{
	struct pattern *pattern = reader->pattern;

	pattern->ranges[pattern->range_count++] = (struct range){ from, to };
	pattern->classes[pattern->class_count - 1].count++;
}

/* What \d, \w and \s stand for; false for other letters. */
static bool
add_shorthand(struct reader *reader, char letter)
{
	switch (letter) {
	case 'd':
		add_range(reader, '0', '9');
		return true;
	case 'w':
		add_range(reader, '0', '9');
		add_range(reader, 'A', 'Z');
		add_range(reader, 'a', 'z');
		add_range(reader, '_', '_');
		return true;
	case 's':
		add_range(reader, '\t', '\r');
		add_range(reader, ' ', ' ');
		return true;
	default:
		return false;
	}
}

static bool
is_punctuation(char c)
{
	return c != '\0' && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) != NULL;
}

/* Behind a backslash: one character, or a shorthand, which is added to the class. */
static bool
read_escape(struct reader *reader, bool *is_one, uint32_t *one)
{
	const char c = *reader->at;

	*is_one = false;
	if (is_punctuation(c)) {
		*is_one = true;
		*one = (uint32_t)c;
		reader->at++;
		return true;
	}
	if (add_shorthand(reader, c)) {
		reader->at++;
		return true;
	}
	refuse(reader, c >= '0' && c <= '9' ? "A pattern cannot refer back to a group."
		: "A pattern knows \\d, \\w, \\s and a backslash before punctuation.");
	return false;
}

/* One character or shorthand of a class, or a range of characters. */
static bool
read_class_item(struct reader *reader)
{
	bool is_one = true;
	uint32_t from, to = 0;

	if (*reader->at == '[' && reader->at[1] != '\0' && strchr(":.=", reader->at[1]) != NULL)
		return refuse(reader, "Classes like [:alpha:] are not known; write the characters.") != NULL;
	from = read_character(reader);
	if (from == '\\' && !read_escape(reader, &is_one, &from))
		return false;
	if (!is_one)
		return true;
	if (*reader->at != '-' || reader->at[1] == ']') {
		add_range(reader, from, from);
		return true;
	}
	reader->at++;
	if (*reader->at == '\0')
		return refuse(reader, "A class [ is not closed.") != NULL;
	to = read_character(reader);
	if (to == '\\' && !read_escape(reader, &is_one, &to))
		return false;
	if (!is_one || from > to)
		return refuse(reader, "A range in a class runs from a character to a later one.") != NULL;
	add_range(reader, from, to);
	return true;
}

static const struct node *
read_class(struct reader *reader)
{
	const bool is_negated = *reader->at == '^';
	struct node *node = make_class(reader, is_negated);

	if (is_negated)
		reader->at++;
	/* POSIX takes []a] as a class with a bracket in it, ECMAScript as an empty one. */
	if (*reader->at == ']')
		return refuse(reader, "A class [ ] is empty; a bracket in it takes a backslash.");
	while (*reader->at != ']') {
		if (*reader->at == '\0')
			return refuse(reader, "A class [ is not closed.");
		if (!read_class_item(reader))
			return NULL;
	}
	reader->at++;
	return node;
}

static const struct node *
read_group(struct reader *reader)
{
	if (*reader->at == '?') {
		if (reader->at[1] != ':')
			return refuse(reader, "A group begins with ( or (?: and nothing else.");
		reader->at += 2;
	}
	if (++reader->groups > GROUPS_MAX)
		return refuse(reader, "Groups stand at most 20 deep.");
	const struct node *node = read_alternatives(reader);
	if (node == NULL)
		return NULL;
	if (*reader->at != ')')
		return refuse(reader, "A group ( is not closed.");
	reader->at++;
	reader->groups--;
	return node;
}

/* A character, a dot, or what stands behind a backslash: a class of its own. */
static const struct node *
read_one(struct reader *reader)
{
	uint32_t c = read_character(reader);
	const bool is_opposite = c == '\\' && (*reader->at == 'D' || *reader->at == 'W' || *reader->at == 'S');
	const struct node *node = make_class(reader, c == '.' || is_opposite);
	bool is_one = c != '.';

	if (c == '.') {
		add_range(reader, '\n', '\n');
		add_range(reader, '\r', '\r');
	} else if (is_opposite) {
		add_shorthand(reader, (char)(*reader->at++ - 'A' + 'a'));
		is_one = false;
	} else if (c == '\\' && !read_escape(reader, &is_one, &c)) {
		return NULL;
	}
	if (is_one)
		add_range(reader, c, c);
	return node;
}

static const struct node *
read_atom(struct reader *reader)
{
	switch (*reader->at) {
	case '(':
		reader->at++;
		return read_group(reader);
	case '[':
		reader->at++;
		return read_class(reader);
	case '*':
	case '+':
	case '?':
	case '{':
		return refuse(reader, "There is nothing before * + ? or { to repeat, or it repeats already.");
	case ']':
	case '}':
		return refuse(reader, "A bracket that closes nothing takes a backslash.");
	case '^':
	case '$':
		return refuse(reader, "^ stands only at the beginning and $ only at the end; as characters they take a backslash.");
	default:
		return read_one(reader);
	}
}

static bool
read_number(struct reader *reader, int *number)
{
	if (*reader->at < '0' || *reader->at > '9')
		return false;
	for (*number = 0; *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
		if (*number <= REPEAT_MAX)
			*number = *number * 10 + (*reader->at - '0');
	}
	return true;
}

/* {n}, {n,} and {n,m}, behind the brace. */
static bool
read_bounds(struct reader *reader, int *least, int *most)
{
	if (!read_number(reader, least))
		return false;
	*most = *least;
	if (*reader->at == ',') {
		reader->at++;
		if (!read_number(reader, most))
			*most = UNBOUNDED;
	}
	return *reader->at++ == '}' && *least <= REPEAT_MAX && *most <= REPEAT_MAX
		&& (*most == UNBOUNDED || *least <= *most);
}

static const struct node *
read_repeated(struct reader *reader)
{
	const struct node *atom = read_atom(reader);
	struct node *repeat;

	if (atom == NULL || *reader->at == '\0' || strchr("*+?{", *reader->at) == NULL)
		return atom;
	repeat = make_node(reader, NODE_REPEAT);
	repeat->left = atom;
	repeat->most = UNBOUNDED;
	switch (*reader->at++) {
	case '{':
		if (!read_bounds(reader, &repeat->least, &repeat->most))
			return refuse(reader, "A repetition is {n}, {n,} or {n,m} with at most 1000.");
		break;
	case '+':
		repeat->least = 1;
		break;
	case '?':
		repeat->most = 1;
		break;
	default:
		break;
	}
	/* Lazy, possessive, or a repetition of a repetition: each language reads it otherwise. */
	if (*reader->at != '\0' && strchr("*+?{", *reader->at) != NULL)
		return refuse(reader, "There is nothing before * + ? or { to repeat, or it repeats already.");
	return repeat;
}

/* The end, or the $ before it. */
static bool
is_end(const char *at)
{
	return *at == '\0' || (at[0] == '$' && at[1] == '\0');
}

static const struct node *
read_sequence(struct reader *reader)
{
	const struct node *sequence = make_node(reader, NODE_EMPTY);

	while (!is_end(reader->at) && *reader->at != '|' && *reader->at != ')') {
		const struct node *part = read_repeated(reader);
		if (part == NULL)
			return NULL;
		struct node *both = make_node(reader, NODE_SEQUENCE);
		both->left = sequence;
		both->right = part;
		sequence = both;
	}
	return sequence;
}

static const struct node *
read_alternatives(struct reader *reader)
{
	const struct node *left = read_sequence(reader);

	if (left == NULL || *reader->at != '|')
		return left;
	reader->at++;
	const struct node *right = read_alternatives(reader);
	if (right == NULL)
		return NULL;
	struct node *either = make_node(reader, NODE_EITHER);
	either->left = left;
	either->right = right;
	return either;
}

/* ---- From tree to states. */

struct writer {
	struct pattern *pattern;
	int steps;
};

/* The place of a new state; -1: there are too many. */
static int
add_state(struct writer *writer, struct state state)
{
	struct pattern *pattern = writer->pattern;

	if (pattern->state_count == PATTERN_STATES_MAX)
		return -1;
	pattern->states[pattern->state_count] = state;
	return pattern->state_count++;
}

static int write_node(struct writer *writer, const struct node *node, int next);

/* Any number of times: a state that goes in once more or on. */
static int
write_loop(struct writer *writer, const struct node *inner, int next)
{
	const int loop = add_state(writer, (struct state){ .operation = SPLIT, .next = next, .other = next });

	if (loop < 0)
		return -1;
	const int start = write_node(writer, inner, loop);
	writer->pattern->states[loop].next = start;
	return start < 0 ? -1 : loop;
}

static int
write_repeat(struct writer *writer, const struct node *node, int next)
{
	const int end = next;

	if (node->most == UNBOUNDED)
		next = write_loop(writer, node->left, next);
	for (int i = node->least; i < node->most && next >= 0; i++) {
		const int start = write_node(writer, node->left, next);
		next = start < 0 ? -1 : add_state(writer, (struct state){ .operation = SPLIT, .next = start, .other = end });
	}
	for (int i = 0; i < node->least && next >= 0; i++)
		next = write_node(writer, node->left, next);
	return next;
}

/* Writes the node in front of the state `next`: where it begins, or -1 when it is too much. */
static int
write_node(struct writer *writer, const struct node *node, int next)
{
	int left, right;

	if (next < 0 || ++writer->steps > WRITE_STEPS_MAX)
		return -1;
	switch (node->type) {
	case NODE_CLASS:
		return add_state(writer, (struct state){ .operation = TAKE, .class = node->class, .next = next });
	case NODE_SEQUENCE:
		return write_node(writer, node->left, write_node(writer, node->right, next));
	case NODE_EITHER:
		left = write_node(writer, node->left, next);
		right = write_node(writer, node->right, next);
		return left < 0 || right < 0 ? -1
			: add_state(writer, (struct state){ .operation = SPLIT, .next = left, .other = right });
	case NODE_REPEAT:
		return write_repeat(writer, node, next);
	case NODE_EMPTY:
		break;
	}
	return next;
}

struct pattern *
pattern_compile(struct arena *arena, const char *text, const char **reason)
{
	struct reader reader = { .arena = arena, .at = text };
	struct writer writer = { 0 };

	if (utf8_length(text) > PATTERN_LENGTH_MAX) {
		*reason = "A pattern has at most 200 characters.";
		return NULL;
	}
	reader.pattern = writer.pattern = arena_take(arena, sizeof(*writer.pattern));
	if (*reader.at == '^')
		reader.at++;
	const struct node *tree = read_alternatives(&reader);
	if (tree != NULL && !is_end(reader.at))
		tree = refuse(&reader, "A bracket that closes nothing takes a backslash.");
	if (tree == NULL) {
		*reason = reader.reason;
		return NULL;
	}
	const int end = add_state(&writer, (struct state){ .operation = MATCH });
	const int start = write_node(&writer, tree, end);
	/* A text is led in from the last state on. */
	if (start < 0 || add_state(&writer, (struct state){ .operation = SPLIT, .next = start, .other = start }) < 0) {
		*reason = "A pattern repeats too much: written out it has more than 500 parts.";
		return NULL;
	}
	return writer.pattern;
}

/* ---- A text through the states. */

/* States that a text may be in, each once. */
struct places {
	int states[PATTERN_STATES_MAX];
	int count;
	bool has[PATTERN_STATES_MAX];
};

/* The state and all that it leads to without taking a character. */
static void
enter(const struct pattern *pattern, struct places *places, int first)
{
	int waiting[2 * PATTERN_STATES_MAX];	/* each state is looked into once */
	int count = 0;

	waiting[count++] = first;
	while (count > 0) {
		const int place = waiting[--count];
		if (places->has[place])
			continue;
		places->has[place] = true;
		places->states[places->count++] = place;
		if (pattern->states[place].operation == SPLIT) {
			waiting[count++] = pattern->states[place].other;
			waiting[count++] = pattern->states[place].next;
		}
	}
}

/* For each class whether it has the character: states share classes, so that this is done
 * once a character and not once a state. */
static void
find_classes(const struct pattern *pattern, uint32_t c, bool *has)
{
	for (int at = 0; at < pattern->class_count; at++) {
		const struct class *class = &pattern->classes[at];
		const struct range *ranges = &pattern->ranges[class->first];

		has[at] = class->is_negated;
		for (int i = 0; i < class->count && has[at] == class->is_negated; i++) {
			if (c >= ranges[i].from && c <= ranges[i].to)
				has[at] = !class->is_negated;
		}
	}
}

/* Where a character leads to. */
static void
step(const struct pattern *pattern, const struct places *now, uint32_t c, struct places *then)
{
	bool has[PATTERN_LENGTH_MAX];

	find_classes(pattern, c, has);
	*then = (struct places){ 0 };
	for (int i = 0; i < now->count; i++) {
		const struct state *state = &pattern->states[now->states[i]];
		if (state->operation == TAKE && has[state->class])
			enter(pattern, then, state->next);
	}
}

bool
pattern_matches(const struct pattern *pattern, const char *text)
{
	struct places places[2] = { 0 };
	size_t length = strlen(text);
	int now = 0;

	enter(pattern, &places[now], pattern->state_count - 1);
	while (length > 0 && places[now].count > 0) {
		uint32_t c = 0;
		const size_t used = utf8_decode(text, length, &c);

		if (used == 0)
			return false;
		text += used;
		length -= used;
		step(pattern, &places[now], c, &places[1 - now]);
		now = 1 - now;
	}
	/* The first state written is the end. */
	return length == 0 && places[now].has[0];
}
