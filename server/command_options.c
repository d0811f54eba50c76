/*
 * Reads --name value pairs and names every fault of a command line at once.
 */
#include "command_options.h"

#include <stdio.h>
#include <string.h>

static struct command_option *
find_option(struct command_option *options, const char *name)
{
	for (; options->name != NULL; options++) {
		if (strcmp(options->name, name) == 0)
			return options;
	}
	return NULL;
}

bool
command_options_read(struct command_option *options, int argc, char **argv)
{
	bool good = true;

	for (int i = 0; i < argc; i++) {
		struct command_option *option = find_option(options, argv[i]);
		if (option == NULL) {
			fprintf(stderr, "unknown option: %s\n", argv[i]);
			good = false;
		} else if (option->is_flag) {
			option->value = "";
		} else if (i + 1 >= argc) {
			fprintf(stderr, "%s needs a value\n", option->name);
			good = false;
		} else {
			option->value = argv[++i];
		}
	}
	for (; options->name != NULL; options++) {
		if (options->is_required && options->value == NULL) {
			fprintf(stderr, "%s is needed\n", options->name);
			good = false;
		}
	}
	return good;
}
