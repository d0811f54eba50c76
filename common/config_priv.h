/*
 * config_priv: the table of variables (config_table.c) and what was found for each, for the
 * two files that walk it: config.c (reads, checks, loads) and config_print.c (shows).
 */
#ifndef ROLLCALL_CONFIG_PRIV_H
#define ROLLCALL_CONFIG_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"

struct findings;

enum variable_need { OPTIONAL, NEEDED, NEEDED_BY_WORKER };
enum variable_mask { SHOWN, SECRET, DATABASE_URL, SMTP_URL };

struct variable;

/* What is read before it is judged as a whole. */
struct draft {
	struct config *config;
	enum config_program program;
	bool smtp_insecure;
};

/* NULL, or a static sentence that says what is wrong. */
typedef const char *variable_parser(const struct variable *variable, const char *text,
	struct draft *draft);

struct variable {
	const char *name;
	const char *expected;		/* for whoever has to correct it */
	variable_parser *parse;
	const char *fallback;		/* the default of both programs; NULL: none */
	const char *worker_fallback;	/* where the worker's is another */
	enum variable_need need;
	enum variable_mask mask;
	bool may_be_empty;		/* otherwise an empty text is as none */
	size_t field;			/* of struct config, for the parsers that serve many */
	int least, most;		/* for numbers */
};

enum origin { ORIGIN_NONE, ORIGIN_ENVIRONMENT, ORIGIN_FILE, ORIGIN_DEFAULT };

#define FAULT_SIZE 192
#define PROCESSES_MAX 60	/* CHILDREN_MAX, less those that do not serve */

/* What was found for one variable. */
struct setting {
	char *text;			/* NULL: not set, or could not be read */
	enum origin origin;
	const char *path;		/* ORIGIN_FILE: lives in the environment */
	char fault[FAULT_SIZE];		/* "" when there is none */
};

extern const struct variable config_variables[];
extern const int config_variable_count;

/* All that can be known about the configuration of `program`. */
struct reading {
	struct config *config;
	struct setting *settings;	/* one for each variable */
	int fault_count;
};

struct reading config_read(enum config_program program);
void config_reading_free(struct reading *reading);
/* For a doctor: every fault, or that there is none. False when nothing else can be looked at. */
bool config_find_faults(const struct reading *reading, struct findings *findings, const char *check, const char *todo);
/* A log line for each ROLLCALL_ variable that is none of ours. */
void config_warn_of_unknown(void);

#endif
