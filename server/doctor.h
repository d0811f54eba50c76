/*
 * doctor: `rollcall-server doctor [--json] [--servers N] [--workers N]` looks at all that a
 * deployment stands on and says what is wrong, what that means, and what to do.
 *
 * It changes nothing and needs no running Rollcall. What it says holds no secret. Mail is the
 * worker's (`rollcall-worker doctor`), which is asked too where it lies beside this program and
 * is told of a relay. Exit code: 0 all is well, 1 warnings, 2 failures.
 */
#ifndef ROLLCALL_DOCTOR_H
#define ROLLCALL_DOCTOR_H

int doctor_run(int argc, char **argv);

#endif
