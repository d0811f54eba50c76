/*
 * parser_child: the process that parses one file and knows nothing else.
 *
 * parser_run starts this very program anew with words of its own in front; main
 * hands them over before it does anything. So the child's memory never held a secret,
 * a connection or another organization's rows, and what a file can make it tell is
 * what was in the file.
 */
#ifndef ROLLCALL_PARSER_CHILD_H
#define ROLLCALL_PARSER_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct parser_job;

/* What a child does with the bytes once it is shut in; NULL stands for parsing them.
 * Tests shut in something else. */
typedef void parser_body(const uint8_t *bytes, size_t length, const char *charset);

/* Returns at once unless this process is such a child; then never. */
void parser_child_enter(int argc, char **argv, parser_body *body);

/* The parent's side: starts one that reads from `input` and writes to `output`, which
 * are pipes; -1: could not. */
pid_t parser_child_start(const struct parser_job *job, int input, int output);

/* What it says by its exit code. */
enum { PARSER_CHILD_NOT_SHUT_IN = 3, PARSER_CHILD_NO_MEMORY = 4, PARSER_CHILD_ABORTED = 5, PARSER_CHILD_NOT_STARTED = 127 };

#endif
