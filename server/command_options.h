/*
 * command_options: --name value pairs of a command line.
 */
#ifndef ROLLCALL_COMMAND_OPTIONS_H
#define ROLLCALL_COMMAND_OPTIONS_H

#include <stdbool.h>

struct command_option {
	const char *name;	/* "--slug"; NULL ends the list */
	bool is_required;
	bool is_flag;		/* stands alone: its value is "" */
	const char *value;	/* NULL: not given */
};

/* False, with every fault said on standard error, when the line is wrong. */
bool command_options_read(struct command_option *options, int argc, char **argv);

#endif
