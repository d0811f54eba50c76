/*
 * The table of problems, and of the constraints that become one.
 *
 * Everything a client can be told stands here; resource files name a problem and
 * say no more than what is particular to the case. Codes are a contract
 * (DESIGN.md §6).
 */
#include "problem.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static const struct problem_text problems[PROBLEM_COUNT] = {
	[PROBLEM_MALFORMED_BODY] = { 400, "malformed_body", "The body is not valid JSON",
		"Send one JSON object in UTF-8." },
	[PROBLEM_INVALID_QUERY] = { 400, "invalid_query", "The query string is not valid",
		"See errors for each parameter." },
	[PROBLEM_UNAUTHENTICATED] = { 401, "unauthenticated", "You are not signed in",
		"Send a valid session token or API key as Authorization: Bearer." },
	[PROBLEM_LOGIN_FAILED] = { 401, "login_failed", "Signing in failed",
		"The login or the password is wrong, or the account cannot be used now." },
	[PROBLEM_PASSWORD_RESET_REQUIRED] = { 401, "password_reset_required", "A new password is needed",
		"Ask for a reset link with \"forgot password\" and choose a new password." },
	[PROBLEM_PERMISSION_MISSING] = { 403, "permission_missing", "You lack a permission",
		"Ask an administrator for the permission." },
	[PROBLEM_REFUSED_BY_POLICY] = { 403, "refused_by_policy", "The organization's policy refuses this",
		"The policy that refuses is named in policy." },
	[PROBLEM_LAST_ADMINISTRATOR] = { 403, "last_administrator", "This is the last administrator",
		"Make another user an administrator first." },
	[PROBLEM_EXCEEDS_YOUR_PERMISSIONS] = { 403, "exceeds_your_permissions", "This exceeds your own permissions",
		"You can only grant what you hold, and only touch users who hold no more than you." },
	[PROBLEM_ORIGIN_REFUSED] = { 403, "origin_refused", "The request came from another site",
		"With a cookie, unsafe requests need an Origin header of this site." },
	[PROBLEM_NOT_FOUND] = { 404, "not_found", "There is no such thing",
		"Check the address and the id." },
	[PROBLEM_LINK_UNKNOWN] = { 404, "link_unknown", "This is not one of our links",
		"Copy the whole link from the mail." },
	[PROBLEM_METHOD_NOT_ALLOWED] = { 405, "method_not_allowed", "This method is not allowed here",
		"See the Allow header." },
	[PROBLEM_EMAIL_TAKEN] = { 409, "email_taken", "Somebody has this e-mail address already",
		"Use another address, or find the user who has it." },
	[PROBLEM_USERNAME_TAKEN] = { 409, "username_taken", "Somebody has this username already",
		"Use another username." },
	[PROBLEM_EXTERNAL_ID_TAKEN] = { 409, "external_id_taken", "Somebody has this external id already",
		"Use another external id, or find the user who has it." },
	[PROBLEM_NAME_TAKEN] = { 409, "name_taken", "There is one of this name already",
		"Use another name, or find the one that has it." },
	[PROBLEM_STATE_CONFLICT] = { 409, "state_conflict", "This cannot be done in the present state",
		"Read the object again; GET /v1/users/{id}/actions lists what is possible." },
	[PROBLEM_SECRET_SHOWN_ONCE] = { 409, "secret_shown_once", "This was done, and its answer held a secret",
		"A secret is shown once: make a new one if the answer was lost, and take this one back." },
	[PROBLEM_LINK_EXPIRED] = { 410, "link_expired", "The link has expired",
		"Ask for a new link." },
	[PROBLEM_LINK_USED] = { 410, "link_used", "The link has been used",
		"Sign in with your password." },
	[PROBLEM_LINK_REVOKED] = { 410, "link_revoked", "The link has been withdrawn",
		"Ask your administrator for a new one." },
	[PROBLEM_DELETION_DEAD] = { 410, "deletion_dead", "This deletion is over",
		"It was done, ten minutes have passed, or the number was wrong three times. Ask for a new one if it is still wanted." },
	[PROBLEM_SELECTION_DEAD] = { 410, "selection_dead", "This selection is over",
		"It was confirmed, ten minutes have passed, or the number was wrong three times. Ask for a new one if it is still wanted." },
	[PROBLEM_VERSION_MISMATCH] = { 412, "version_mismatch", "The object has changed meanwhile",
		"Read it again and repeat the change with its new ETag." },
	[PROBLEM_BODY_TOO_LARGE] = { 413, "body_too_large", "The body is too large",
		"Without credentials a body is at most 64 KiB." },
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = { 415, "unsupported_media_type", "This media type is not supported",
		"Send application/json." },
	[PROBLEM_INVALID_BODY] = { 422, "invalid_body", "The body has faults",
		"See errors for each of them." },
	[PROBLEM_WRONG_CODE] = { 422, "wrong_code", "This is not the number",
		"Repeat the number that this was announced with; the third wrong one ends it." },
	[PROBLEM_DUPLICATE_ID] = { 422, "duplicate_id", "There is an operation on this id already",
		"One request has one operation on a user: put them together, or send another request." },
	[PROBLEM_IDEMPOTENCY_KEY_REUSED] = { 422, "idempotency_key_reused", "This key stands with another request",
		"Send each request with an Idempotency-Key of its own, and again with the same one only when nothing in it differs." },
	[PROBLEM_NOT_APPLIED] = { 424, "not_applied", "This was not applied",
		"The request is atomic, and another of its operations failed." },
	[PROBLEM_RATE_LIMITED] = { 429, "rate_limited", "Too many requests",
		"Wait for the seconds that Retry-After says." },
	[PROBLEM_INTERNAL] = { 500, "internal", "Something went wrong here",
		"Try again; if it stays, tell the operator the request id." },
	[PROBLEM_UNAVAILABLE] = { 503, "unavailable", "The service cannot answer now",
		"Try again after the seconds that Retry-After says." },
};

static const struct {
	const char *constraint;
	enum problem problem;
	const char *detail;	/* NULL: the problem's own */
} constraints[] = {
	{ "users_email_key", PROBLEM_EMAIL_TAKEN },
	{ "users_username_key", PROBLEM_USERNAME_TAKEN },
	{ "users_external_id_key", PROBLEM_EXTERNAL_ID_TAKEN },
	{ "position_title_key", PROBLEM_NAME_TAKEN },
	{ "department_name_key", PROBLEM_NAME_TAKEN },
	{ "user_group_name_key", PROBLEM_NAME_TAKEN },
	{ "role_name_key", PROBLEM_NAME_TAKEN },
	{ "field_key_key", PROBLEM_NAME_TAKEN },
	{ "organization_slug_key", PROBLEM_NAME_TAKEN, "There is an organization of this slug already." },
	/* Somebody has it, or it went while it was given to somebody: a look before the write
	 * has not found it. */
	{ "users_position_fkey", PROBLEM_STATE_CONFLICT, "Somebody has this position, or it was deleted at this moment." },
	{ "users_department_fkey", PROBLEM_STATE_CONFLICT, "Somebody is in this department, or it was deleted at this moment." },
	{ "department_parent_fkey", PROBLEM_STATE_CONFLICT, "There are departments in this one, or it was deleted at this moment." },
	{ "assignment_department_fkey", PROBLEM_STATE_CONFLICT, "There are assignments of this department, or it was deleted at this moment." },
	{ "group_member_group_fkey", PROBLEM_STATE_CONFLICT, "Somebody is in this group, or it was deleted at this moment." },
	{ "users_role_fkey", PROBLEM_STATE_CONFLICT, "Somebody has this role, or it was deleted at this moment." },
	{ "day_off_during_excl", PROBLEM_STATE_CONFLICT, "The user has another day off then: change that one, or take other moments." },
	/* Only the id is left of him; or he was deleted while something was hung on him. */
	{ "users_anonymised_check", PROBLEM_STATE_CONFLICT },
	{ "group_member_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "assignment_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "photo_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "day_off_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "email_change_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "credential_users_fkey", PROBLEM_STATE_CONFLICT },
	{ "invitation_users_fkey", PROBLEM_STATE_CONFLICT },
};

const struct problem_text *
problem_text(enum problem problem)
{
	assert(problem > PROBLEM_NONE && problem < PROBLEM_COUNT);
	return &problems[problem];
}

enum problem
problem_of_constraint(const char *constraint, const char **detail)
{
	*detail = NULL;
	for (size_t i = 0; i < sizeof(constraints) / sizeof(constraints[0]); i++) {
		if (strcmp(constraints[i].constraint, constraint) == 0) {
			*detail = constraints[i].detail;
			return constraints[i].problem;
		}
	}
	return PROBLEM_NONE;
}
