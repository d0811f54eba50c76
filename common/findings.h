/*
 * findings: what a doctor has found, as text or JSON, and what to do about it.
 *
 * Whatever is said here may be pasted into a ticket: callers say no secret and nobody's
 * address.
 */
#ifndef ROLLCALL_FINDINGS_H
#define ROLLCALL_FINDINGS_H

#include <stdbool.h>
#include <stdio.h>

struct findings;

enum finding_level { FINDING_OK, FINDING_WARN, FINDING_FAIL };

struct findings *findings_create(void);
void findings_free(struct findings **findings);
/* `check` is a stable word, as "database.version"; `todo` is what to do: NULL when it is ok.
 * Both outlive the findings. */
void findings_add(struct findings *findings, enum finding_level level, const char *check, const char *todo,
	const char *format, ...) __attribute__((format(printf, 5, 6)));
/* Those that another doctor printed as JSON; false when it is none of ours. */
bool findings_add_json(struct findings *findings, const char *text);
/* Prints all; returns the exit code: 0 all is well, 1 there are warnings, 2 failures. */
int findings_print(const struct findings *findings, FILE *out, bool as_json);

#endif
