/*
 * doctor: `rollcall-worker doctor [--json]`: the relay, mail templates, and room for files.
 *
 * What `rollcall-server doctor` says of itself holds here, too.
 */
#ifndef ROLLCALL_DOCTOR_H
#define ROLLCALL_DOCTOR_H

#include <stdbool.h>

int doctor_run(bool as_json);

#endif
