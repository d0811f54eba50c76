/*
 * organizations: which organization an anonymous request is about; and the organization as
 * its administrators read and change it.
 */
#ifndef ROLLCALL_ORGANIZATIONS_H
#define ROLLCALL_ORGANIZATIONS_H

#include "body.h"
#include "request.h"

/* Two steps: `organization` of the body is a slug or an id; it may be left out only
 * where the deployment has exactly one (else 422). Sets rq->org_id. */
enum step organization_ask(struct request *rq);
enum step organization_take(struct request *rq);

extern const struct body_field organization_edit_fields[];
extern request_step *const organization_get_steps[];
extern request_step *const organization_edit_steps[];

#endif
