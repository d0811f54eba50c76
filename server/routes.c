/*
 * The table of routes: the only place to register one.
 *
 * Literal paths stand before paths with an {id} that could take them.
 */
#include "route.h"

#include "api_keys.h"
#include "assignments.h"
#include "audits.h"
#include "bounces.h"
#include "confirmation.h"
#include "departments.h"
#include "groups.h"
#include "deletions.h"
#include "exports.h"
#include "fields.h"
#include "day_offs.h"
#include "email_changes.h"
#include "health.h"
#include "import_form.h"
#include "import_reports.h"
#include "import_template.h"
#include "import_upload.h"
#include "imports.h"
#include "links.h"
#include "mails.h"
#include "me.h"
#include "operators.h"
#include "pages.h"
#include "openapi.h"
#include "organizations.h"
#include "photos.h"
#include "policies.h"
#include "positions.h"
#include "role_schema.h"
#include "roles.h"
#include "selections.h"
#include "sessions.h"
#include "test_mail.h"
#include "user_actions.h"
#include "user_bulk.h"
#include "user_edit.h"
#include "user_list.h"
#include "user_upsert.h"
#include "users.h"

#define PUBLIC ACCESS_PUBLIC, NULL, NULL
#define ANONYMOUS ACCESS_ANONYMOUS, NULL, NULL
#define SIGNED_IN ACCESS_SIGNED_IN, NULL, NULL
#define USER ACCESS_USER, NULL, NULL
#define OPERATOR ACCESS_OPERATOR, NULL, NULL
#define NEEDS(permission) ACCESS_SIGNED_IN, permission, NULL
#define NEEDS_BOTH(permission, other) ACCESS_SIGNED_IN, permission, other

const struct route routes[] = {
	/* method, path, who may, body, query, faults deferred, steps */
	{ HTTP_GET, "/v1/auth/verify", SIGNED_IN, NULL, NULL, false, auth_verify_steps, .ignores_input = true, .is_unlimited = true },

	{ HTTP_POST, "/v1/users", NEEDS("users:write"), user_create_fields, NULL, true, user_create_steps },
	{ HTTP_GET, "/v1/users", NEEDS("users:read"), NULL, user_list_parameters, false, user_list_steps },
	{ HTTP_POST, "/v1/users/deletions", NEEDS_BOTH("users:write", "users:delete"), deletion_create_fields, NULL, true, deletion_create_steps },
	{ HTTP_POST, "/v1/users/deletions/{id}/confirm", NEEDS_BOTH("users:write", "users:delete"), confirmation_fields, NULL, false, deletion_confirm_steps },
	{ HTTP_POST, "/v1/users/selections", NEEDS_BOTH("imports:write", "users:write"), selection_create_fields, NULL, true, selection_create_steps },
	{ HTTP_GET, "/v1/users/selections/{id}", NEEDS_BOTH("imports:write", "users:read"), NULL, NULL, false, selection_get_steps },
	{ HTTP_GET, "/v1/users/selections/{id}/users", NEEDS_BOTH("imports:write", "users:read"), NULL, selection_user_parameters, false, selection_users_steps },
	{ HTTP_POST, "/v1/users/selections/{id}/confirm", NEEDS_BOTH("imports:write", "users:write"), confirmation_fields, NULL, false, selection_confirm_steps },
	{ HTTP_POST, "/v1/users/bulk", NEEDS("users:write"), user_bulk_fields, NULL, true, user_bulk_steps, .keeps_answer = true },
	{ HTTP_GET, "/v1/users/export", NEEDS_BOTH("imports:write", "users:read"), NULL, export_stream_parameters, false, export_stream_steps },
	{ HTTP_PUT, "/v1/users/by-external-id/{external_id}", NEEDS("users:write"), user_upsert_fields, NULL, true, user_upsert_steps, .rereads_on_constraint = true, .variants = user_upsert_variants },
	{ HTTP_GET, "/v1/users/{id}", NEEDS("users:read"), NULL, NULL, false, user_get_steps },
	{ HTTP_PATCH, "/v1/users/{id}", NEEDS("users:write"), user_edit_fields, NULL, true, user_edit_steps },
	{ HTTP_GET, "/v1/users/{id}/actions", NEEDS("users:read"), NULL, NULL, false, user_actions_steps },
	{ HTTP_GET, "/v1/users/{id}/history", NEEDS("audit:read"), NULL, user_history_parameters, false, user_history_steps },
	{ HTTP_POST, "/v1/users/{id}/activate", NEEDS("users:write"), user_activate_fields, NULL, true, user_activate_steps },
	{ HTTP_POST, "/v1/users/{id}/inactivate", NEEDS("users:write"), user_inactivate_fields, NULL, false, user_inactivate_steps },
	{ HTTP_POST, "/v1/users/{id}/invite", NEEDS_BOTH("users:write", "users:invite"), NULL, NULL, false, user_invite_steps },
	{ HTTP_POST, "/v1/users/{id}/password", NEEDS_BOTH("users:write", "users:password"), user_password_fields, NULL, true, user_password_steps },
	{ HTTP_POST, "/v1/users/{id}/password-reset", NEEDS_BOTH("users:write", "users:invite"), NULL, NULL, false, user_send_reset_steps },
	{ HTTP_GET, "/v1/users/{id}/sessions", NEEDS("users:read"), NULL, session_list_parameters, false, session_list_steps },
	{ HTTP_DELETE, "/v1/users/{id}/sessions", NEEDS("users:write"), NULL, NULL, false, session_delete_steps },
	{ HTTP_GET, "/v1/users/{id}/sessions/{id}", NEEDS("users:read"), NULL, NULL, false, session_get_steps },
	{ HTTP_DELETE, "/v1/users/{id}/sessions/{id}", NEEDS("users:write"), NULL, NULL, false, session_delete_steps },
	{ HTTP_GET, "/v1/users/{id}/photo", NEEDS("users:read"), NULL, photo_parameters, false, photo_get_steps },
	{ HTTP_PUT, "/v1/users/{id}/photo", NEEDS("users:write"), NULL, NULL, false, photo_put_steps, .takes_bytes = true },
	{ HTTP_DELETE, "/v1/users/{id}/photo", NEEDS("users:write"), NULL, NULL, false, photo_remove_steps },
	{ HTTP_GET, "/v1/users/{id}/day-offs", NEEDS("users:read"), NULL, day_off_list_parameters, false, day_off_list_steps },
	{ HTTP_POST, "/v1/users/{id}/day-offs", NEEDS("users:write"), day_off_create_fields, NULL, true, day_off_create_steps },
	{ HTTP_PATCH, "/v1/users/{id}/day-offs/{id}", NEEDS("users:write"), day_off_edit_fields, NULL, true, day_off_edit_steps },
	{ HTTP_DELETE, "/v1/users/{id}/day-offs/{id}", NEEDS("users:write"), NULL, NULL, false, day_off_remove_steps },
	{ HTTP_GET, "/v1/users/{id}/assignments", NEEDS("users:read"), NULL, assignment_list_parameters, false, assignment_list_of_user_steps },

	{ HTTP_GET, "/v1/assignments/{app}/{type}/{resource}", NEEDS("users:read"), NULL, NULL, false, assignment_get_steps },
	{ HTTP_PUT, "/v1/assignments/{app}/{type}/{resource}", NEEDS("users:write"), assignment_fields, NULL, true, assignment_put_steps },
	{ HTTP_DELETE, "/v1/assignments/{app}/{type}/{resource}", NEEDS("users:write"), NULL, assignment_remove_parameters, false, assignment_remove_steps },

	{ HTTP_POST, "/v1/imports", NEEDS("imports:write"), import_create_fields, import_create_parameters, true, import_create_steps, .takes_bytes = true },
	{ HTTP_GET, "/v1/imports", NEEDS("imports:write"), NULL, import_list_parameters, false, import_list_steps },
	{ HTTP_GET, "/v1/imports/{id}", NEEDS("imports:write"), NULL, NULL, false, import_get_steps },
	{ HTTP_GET, "/v1/imports/{id}/rows", NEEDS("imports:write"), NULL, import_row_list_parameters, false, import_row_list_steps },
	{ HTTP_PUT, "/v1/imports/{id}/parts/{number}", NEEDS("imports:write"), NULL, NULL, false, import_part_put_steps, .takes_bytes = true, .ignores_key = true },
	{ HTTP_POST, "/v1/imports/{id}/parse", NEEDS("imports:write"), import_parse_fields, NULL, true, import_parse_steps },
	{ HTTP_POST, "/v1/imports/{id}/apply", NEEDS_BOTH("imports:write", "users:write"), import_apply_fields, NULL, false, import_apply_steps },
	{ HTTP_POST, "/v1/imports/{id}/undo", NEEDS_BOTH("imports:write", "users:write"), NULL, NULL, false, import_undo_steps },

	{ HTTP_GET, "/v1/invitations", NEEDS("users:read"), NULL, invitation_list_parameters, false, invitation_list_steps },
	{ HTTP_POST, "/v1/invitations/inspect", ANONYMOUS, link_inspect_fields, NULL, false, invitation_inspect_steps },
	{ HTTP_POST, "/v1/invitations/accept", ANONYMOUS, link_password_fields, NULL, true, invitation_accept_steps },
	{ HTTP_POST, "/v1/password-resets", ANONYMOUS, reset_request_fields, NULL, false, reset_request_steps },
	{ HTTP_POST, "/v1/password-resets/inspect", ANONYMOUS, link_inspect_fields, NULL, false, reset_inspect_steps },
	{ HTTP_POST, "/v1/password-resets/complete", ANONYMOUS, link_password_fields, NULL, true, reset_complete_steps },
	{ HTTP_POST, "/v1/email-changes/inspect", ANONYMOUS, link_inspect_fields, NULL, false, email_change_inspect_steps },
	{ HTTP_POST, "/v1/email-changes/confirm", ANONYMOUS, link_inspect_fields, NULL, false, email_change_confirm_steps },

	{ HTTP_POST, "/v1/sessions", ANONYMOUS, login_fields, login_parameters, false, login_steps },
	{ HTTP_GET, "/v1/sessions/current", USER, NULL, NULL, false, session_current_steps },
	{ HTTP_DELETE, "/v1/sessions/current", USER, NULL, NULL, false, session_sign_out_steps, .ignores_key = true },

	{ HTTP_GET, "/v1/me", USER, NULL, NULL, false, me_get_steps },
	{ HTTP_PATCH, "/v1/me", USER, me_edit_fields, NULL, true, me_edit_steps },
	{ HTTP_PUT, "/v1/me/password", USER, me_password_fields, NULL, true, me_password_steps },
	{ HTTP_GET, "/v1/me/sessions", USER, NULL, session_list_parameters, false, session_list_steps },
	{ HTTP_DELETE, "/v1/me/sessions", USER, NULL, NULL, false, session_delete_steps },
	{ HTTP_GET, "/v1/me/sessions/{id}", USER, NULL, NULL, false, session_get_steps },
	{ HTTP_DELETE, "/v1/me/sessions/{id}", USER, NULL, NULL, false, session_delete_steps },
	{ HTTP_GET, "/v1/me/photo", USER, NULL, photo_parameters, false, photo_get_steps },
	{ HTTP_PUT, "/v1/me/photo", USER, NULL, NULL, false, photo_put_steps, .takes_bytes = true },
	{ HTTP_DELETE, "/v1/me/photo", USER, NULL, NULL, false, photo_remove_steps },

	{ HTTP_GET, "/v1/organization", NEEDS("users:read"), NULL, NULL, false, organization_get_steps },
	{ HTTP_PATCH, "/v1/organization", NEEDS("org:write"), organization_edit_fields, NULL, true, organization_edit_steps },
	{ HTTP_GET, "/v1/policy", NEEDS("policy:write"), NULL, NULL, false, policy_get_steps },
	{ HTTP_PATCH, "/v1/policy", NEEDS("policy:write"), body_any, NULL, true, policy_edit_steps },
	{ HTTP_POST, "/v1/policy/preset", NEEDS("policy:write"), policy_preset_body, NULL, false, policy_preset_steps },
	{ HTTP_POST, "/v1/policy/simulate", NEEDS("policy:write"), policy_simulate_body, NULL, true, policy_simulate_steps, .ignores_key = true },
	{ HTTP_POST, "/v1/idle-sweeps/release", NEEDS("policy:write"), NULL, NULL, false, idle_release_steps },

	{ HTTP_GET, "/v1/positions", NEEDS("users:read"), NULL, resource_list_parameters, false, resource_list_steps, .resource = &positions },
	{ HTTP_POST, "/v1/positions", NEEDS("org:write"), position_create_fields, NULL, false, resource_create_steps, .resource = &positions },
	{ HTTP_GET, "/v1/positions/{id}", NEEDS("users:read"), NULL, NULL, false, resource_get_steps, .resource = &positions },
	{ HTTP_PATCH, "/v1/positions/{id}", NEEDS("org:write"), position_edit_fields, NULL, false, resource_edit_steps, .resource = &positions },
	{ HTTP_DELETE, "/v1/positions/{id}", NEEDS("org:write"), NULL, NULL, false, resource_remove_steps, .resource = &positions },

	{ HTTP_GET, "/v1/departments", NEEDS("users:read"), NULL, resource_list_parameters, false, resource_list_steps, .resource = &departments },
	{ HTTP_POST, "/v1/departments", NEEDS("org:write"), department_create_fields, NULL, true, department_create_steps, .resource = &departments },
	{ HTTP_GET, "/v1/departments/{id}", NEEDS("users:read"), NULL, NULL, false, resource_get_steps, .resource = &departments },
	{ HTTP_PATCH, "/v1/departments/{id}", NEEDS("org:write"), department_edit_fields, NULL, true, department_edit_steps, .resource = &departments },
	{ HTTP_DELETE, "/v1/departments/{id}", NEEDS("org:write"), NULL, NULL, false, department_remove_steps, .resource = &departments },

	{ HTTP_GET, "/v1/groups", NEEDS("users:read"), NULL, resource_list_parameters, false, resource_list_steps, .resource = &groups },
	{ HTTP_POST, "/v1/groups", NEEDS("org:write"), group_create_fields, NULL, false, resource_create_steps, .resource = &groups },
	{ HTTP_GET, "/v1/groups/{id}", NEEDS("users:read"), NULL, NULL, false, resource_get_steps, .resource = &groups },
	{ HTTP_PATCH, "/v1/groups/{id}", NEEDS("org:write"), group_edit_fields, NULL, false, resource_edit_steps, .resource = &groups },
	{ HTTP_DELETE, "/v1/groups/{id}", NEEDS("org:write"), NULL, NULL, false, group_remove_steps, .rereads_on_constraint = true, .resource = &groups },
	{ HTTP_GET, "/v1/groups/{id}/members", NEEDS("users:read"), NULL, group_member_list_parameters, false, group_member_list_steps, .resource = &groups },
	{ HTTP_POST, "/v1/groups/{id}/members", NEEDS("users:write"), group_members_fields, NULL, true, group_members_add_steps },
	{ HTTP_PUT, "/v1/groups/{id}/members", NEEDS("users:write"), group_members_fields, NULL, true, group_members_replace_steps },
	{ HTTP_DELETE, "/v1/groups/{id}/members/{id}", NEEDS("users:write"), NULL, NULL, false, group_member_remove_steps },
	{ HTTP_GET, "/v1/fields", NEEDS("users:read"), NULL, resource_list_parameters, false, resource_list_steps, .resource = &fields },
	{ HTTP_POST, "/v1/fields", NEEDS("org:write"), field_create_fields, NULL, true, field_create_steps, .resource = &fields },
	{ HTTP_GET, "/v1/fields/{id}", NEEDS("users:read"), NULL, NULL, false, resource_get_steps, .resource = &fields },
	{ HTTP_PATCH, "/v1/fields/{id}", NEEDS("org:write"), field_edit_fields, NULL, true, field_edit_steps, .resource = &fields },
	{ HTTP_DELETE, "/v1/fields/{id}", NEEDS("org:write"), NULL, NULL, false, field_remove_steps, .resource = &fields },
	{ HTTP_GET, "/v1/roles/{id}/schema", NEEDS("users:read"), NULL, NULL, false, role_schema_steps },
	{ HTTP_GET, "/v1/roles", NEEDS("users:read"), NULL, resource_list_parameters, false, resource_list_steps, .resource = &roles },
	{ HTTP_POST, "/v1/roles", NEEDS("roles:write"), role_create_fields, NULL, false, role_create_steps, .resource = &roles },
	{ HTTP_GET, "/v1/roles/{id}", NEEDS("users:read"), NULL, NULL, false, resource_get_steps, .resource = &roles },
	{ HTTP_PATCH, "/v1/roles/{id}", NEEDS("roles:write"), role_edit_fields, NULL, false, role_edit_steps, .resource = &roles },
	{ HTTP_DELETE, "/v1/roles/{id}", NEEDS("roles:write"), NULL, role_remove_parameters, false, role_remove_steps, .resource = &roles },
	{ HTTP_POST, "/v1/roles/{id}/copy", NEEDS("roles:write"), role_copy_fields, NULL, false, role_copy_steps, .resource = &roles },

	{ HTTP_GET, "/v1/api-keys", NEEDS("api_keys:write"), NULL, api_key_list_parameters, false, api_key_list_steps, .resource = &api_keys },
	{ HTTP_POST, "/v1/api-keys", NEEDS("api_keys:write"), api_key_create_fields, NULL, true, api_key_create_steps, .shows_secret = true, .resource = &api_keys },
	{ HTTP_GET, "/v1/api-keys/{id}", NEEDS("api_keys:write"), NULL, NULL, false, resource_get_steps, .resource = &api_keys },
	{ HTTP_PATCH, "/v1/api-keys/{id}", NEEDS("api_keys:write"), api_key_edit_fields, NULL, true, api_key_edit_steps, .resource = &api_keys },
	{ HTTP_DELETE, "/v1/api-keys/{id}", NEEDS("api_keys:write"), NULL, NULL, false, api_key_remove_steps, .resource = &api_keys },

	{ HTTP_POST, "/v1/organizations", OPERATOR, organization_create_fields, NULL, true, organization_create_steps, .shows_secret = true },
	{ HTTP_GET, "/v1/organizations", OPERATOR, NULL, organization_list_parameters, false, organization_list_steps },
	{ HTTP_GET, "/v1/organizations/{id}", OPERATOR, NULL, NULL, false, organization_get_steps },
	{ HTTP_PATCH, "/v1/organizations/{id}", OPERATOR, organization_edit_fields, NULL, true, organization_edit_steps },

	{ HTTP_GET, "/v1/imports/template", NEEDS("imports:write"), NULL, import_template_parameters, false, import_template_steps },
	{ HTTP_GET, "/v1/imports/{id}/report", NEEDS("imports:write"), NULL, NULL, false, import_report_steps },
	{ HTTP_GET, "/v1/exports", NEEDS_BOTH("imports:write", "users:read"), NULL, export_list_parameters, false, export_list_steps },
	{ HTTP_POST, "/v1/exports", NEEDS_BOTH("imports:write", "users:read"), export_create_fields, NULL, true, export_create_steps },
	{ HTTP_GET, "/v1/exports/{id}", NEEDS_BOTH("imports:write", "users:read"), NULL, NULL, false, export_get_steps },
	{ HTTP_GET, "/v1/exports/{id}/file", NEEDS_BOTH("imports:write", "users:read"), NULL, NULL, false, export_file_steps },

	{ HTTP_GET, "/v1/outbox", NEEDS("users:read"), NULL, outbox_list_parameters, false, outbox_list_steps },
	{ HTTP_POST, "/v1/outbox/{id}/retry", NEEDS("outbox:write"), NULL, NULL, false, outbox_retry_steps },
	{ HTTP_POST, "/v1/bounces", NEEDS("outbox:write"), NULL, NULL, false, bounce_steps, .takes_bytes = true },
	{ HTTP_POST, "/v1/test-mail", NEEDS("outbox:write"), test_mail_fields, NULL, false, test_mail_steps },
	{ HTTP_GET, "/v1/audit", NEEDS("audit:read"), NULL, audit_list_parameters, false, audit_list_steps },

	{ HTTP_GET, "/healthz", PUBLIC, NULL, NULL, false, health_steps },
	{ HTTP_GET, "/readyz", PUBLIC, NULL, NULL, false, ready_steps },
	{ HTTP_GET, "/openapi.json", PUBLIC, NULL, NULL, false, openapi_steps },
	{ HTTP_GET, "/accept", PUBLIC, NULL, NULL, false, page_steps },
	{ HTTP_GET, "/sign-in", PUBLIC, NULL, NULL, false, page_steps },
	{ HTTP_GET, "/forgot-password", PUBLIC, NULL, NULL, false, page_steps },
	{ HTTP_GET, "/reset-password", PUBLIC, NULL, NULL, false, page_steps },
	{ HTTP_GET, "/confirm-email", PUBLIC, NULL, NULL, false, page_steps },
	{ HTTP_GET, "/static/{name}", PUBLIC, NULL, NULL, false, page_static_steps },
};
const int route_count = sizeof(routes) / sizeof(routes[0]);
