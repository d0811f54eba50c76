/*
 * pattern: regular expressions that nobody can make slow.
 *
 * They are written by administrators and run in the server's loop, so an expression that
 * takes long is an attack. A backtracking matcher is out of the question, and POSIX's
 * regcomp makes gigabytes of (a{1,255}){1,255}. This one is a set of states that a text is
 * led through once: length of the text times PATTERN_STATES_MAX, whatever is written.
 *
 * The language is what POSIX, ECMAScript and everybody who writes one have in common, by
 * characters, not bytes: alternatives, groups ( ) and (?: ), [classes], . (not a line's
 * end), * + ? {n} {n,} {n,m}, \d \w \s \D \W \S (ASCII) and a backslash before any
 * punctuation. A text is matched as a whole; ^ at the beginning and $ at the end may stand
 * there. What is not in it (back-references, look-around, lazy repetition) is refused.
 */
#ifndef ROLLCALL_PATTERN_H
#define ROLLCALL_PATTERN_H

#include <stdbool.h>

struct arena;
struct pattern;

#define PATTERN_LENGTH_MAX 200		/* characters of the expression */
#define PATTERN_STATES_MAX 500		/* after repetitions are written out */

/* The pattern, in arena memory; NULL with a static sentence in *reason. The text is valid
 * UTF-8. */
struct pattern *pattern_compile(struct arena *arena, const char *text, const char **reason)
	__attribute__((warn_unused_result));
/* Whether the whole text, valid UTF-8, is of the pattern. */
bool pattern_matches(const struct pattern *pattern, const char *text);

#endif
