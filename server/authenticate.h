/*
 * authenticate: who asks, by session token, key or cookie.
 */
#ifndef ROLLCALL_AUTHENTICATE_H
#define ROLLCALL_AUTHENTICATE_H

#include "request.h"

#define SESSION_COOKIE "__Host-rollcall"

/* Two steps of the prologue. Routes without credentials pass through both. */
enum step authenticate_ask(struct request *rq);
enum step authenticate_take(struct request *rq);

/* 401, as everybody gets it who is not let in. */
enum step authenticate_refuse(struct request *rq);

/* Whether the Origin header names this very site (ROLLCALL_PUBLIC_URL). */
bool authenticate_is_same_origin(struct request *rq);

#endif
