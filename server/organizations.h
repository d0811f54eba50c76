/*
 * organizations: which organization an anonymous request is about.
 */
#ifndef ROLLCALL_ORGANIZATIONS_H
#define ROLLCALL_ORGANIZATIONS_H

#include "request.h"

/* Two steps: `organization` of the body is a slug or an id; it may be left out only
 * where the deployment has exactly one (else 422). Sets rq->org_id. */
enum step organization_ask(struct request *rq);
enum step organization_take(struct request *rq);

#endif
