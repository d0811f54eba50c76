/*
 * pages: the hosted pages and what they load, embedded from server/pages/.
 */
#ifndef ROLLCALL_PAGES_H
#define ROLLCALL_PAGES_H

#include "request.h"

extern request_step *const page_steps[];	/* /accept is accept.html, ... */
extern request_step *const page_static_steps[];	/* /static/{name} */

/* 404 for people: outside of the API. */
enum step page_not_found(struct request *rq);

#endif
