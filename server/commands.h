/*
 * commands: the other faces of rollcall-server, for operators and scripts:
 * migrate, org create, org reinvite-admin, key create, list and revoke, --print-config, --version.
 *
 * What a script reads is one line of JSON on standard output; what a person must know
 * goes to standard error.
 */
#ifndef ROLLCALL_COMMANDS_H
#define ROLLCALL_COMMANDS_H

/* Returns the exit code: 0, 1 when it failed, 2 when it was called wrongly. */
int command_run(int argc, char **argv);

#endif
