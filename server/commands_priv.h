/*
 * What the files of commands share.
 */
#ifndef ROLLCALL_COMMANDS_PRIV_H
#define ROLLCALL_COMMANDS_PRIV_H

#include <stdbool.h>

struct config;
struct database;

/* Who does it, for the audit: the command line has no key. */
#define COMMAND_ACTOR "{\"kind\":\"operator\"}"

/* NULL, said on standard error, when it is wrong. */
struct config *command_load_config(void);
/* Dies when the schema does not fit. */
struct database *command_open_database(const struct config *config);
/* A name that stands in lists and in mails. */
bool command_is_short_name(const char *text);

/* key_create_command.c */
int key_create_run(int argc, char **argv);
/* key_commands.c */
int key_list_run(int argc, char **argv);
int key_revoke_run(int argc, char **argv);

#endif
