/*
 * doctor_priv: the parts of the doctor. Each adds its findings, the good ones too.
 */
#ifndef ROLLCALL_DOCTOR_PRIV_H
#define ROLLCALL_DOCTOR_PRIV_H

#include "findings.h"

struct config;
struct reading;

/* How many of each there are, in all. */
struct doctor_scale {
	int servers, workers;
};

/* doctor_settings.c: values and files of settings, the limits of this machine, its clock. */
void doctor_look_at_settings(struct findings *findings, const struct reading *reading);
void doctor_look_at_machine(struct findings *findings);
/* doctor_database.c: PostgreSQL, the schema, the role's rights, what waits in the tables. */
void doctor_look_at_database(struct findings *findings, const struct config *config, const struct doctor_scale *scale);
/* doctor_front.c: what stands between people and us. */
void doctor_look_at_front(struct findings *findings, const struct config *config);

#endif
