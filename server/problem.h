/*
 * problem: every error that a client can get, in one table (RFC 9457).
 */
#ifndef ROLLCALL_PROBLEM_H
#define ROLLCALL_PROBLEM_H

enum problem {
	PROBLEM_NONE,
	PROBLEM_MALFORMED_BODY,
	PROBLEM_INVALID_QUERY,
	PROBLEM_UNAUTHENTICATED,
	PROBLEM_LOGIN_FAILED,
	PROBLEM_PASSWORD_RESET_REQUIRED,
	PROBLEM_PERMISSION_MISSING,
	PROBLEM_REFUSED_BY_POLICY,
	PROBLEM_LAST_ADMINISTRATOR,
	PROBLEM_EXCEEDS_YOUR_PERMISSIONS,
	PROBLEM_ORIGIN_REFUSED,
	PROBLEM_NOT_FOUND,
	PROBLEM_LINK_UNKNOWN,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_EMAIL_TAKEN,
	PROBLEM_USERNAME_TAKEN,
	PROBLEM_EXTERNAL_ID_TAKEN,
	PROBLEM_NAME_TAKEN,
	PROBLEM_STATE_CONFLICT,
	PROBLEM_LINK_EXPIRED,
	PROBLEM_LINK_USED,
	PROBLEM_LINK_REVOKED,
	PROBLEM_DELETION_DEAD,
	PROBLEM_VERSION_MISMATCH,
	PROBLEM_BODY_TOO_LARGE,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_INVALID_BODY,
	PROBLEM_WRONG_CODE,
	PROBLEM_RATE_LIMITED,
	PROBLEM_INTERNAL,
	PROBLEM_UNAVAILABLE,
	PROBLEM_COUNT
};

struct problem_text {
	int status;
	const char *code;
	const char *title;
	const char *detail;	/* what to do; a caller may say it more exactly */
};

const struct problem_text *problem_text(enum problem problem);
/* The problem of a violated constraint, and a sentence of its own or NULL; PROBLEM_NONE
 * when it is not a client's fault. */
enum problem problem_of_constraint(const char *constraint, const char **detail);

#endif
