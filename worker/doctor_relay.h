/*
 * doctor_relay: what the doctor asks the relay of the worker's settings.
 */
#ifndef ROLLCALL_DOCTOR_RELAY_H
#define ROLLCALL_DOCTOR_RELAY_H

struct config;
struct findings;

/* Adds what smtp_probe finds; or that it cannot be asked for want of a token. */
void doctor_look_at_relay(struct findings *findings, const struct config *config);

#endif
