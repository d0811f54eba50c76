/*
 * curl_dialogue: looks on while libcurl talks to the relay, from the greeting up to the login; and
 * says, when no mail can follow, whether that is the relay's fault or ours.
 *
 * For libcurl what dialogue.h is for libesmtp. libcurl stops by itself where it must; but its
 * codes alone do not tell a password that is refused from one that cannot be checked now, and the
 * relay's own words are what an administrator needs. A fault found here is never a recipient's.
 */
#ifndef ROLLCALL_CURL_DIALOGUE_H
#define ROLLCALL_CURL_DIALOGUE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "mailer_priv.h"

struct smtp_config;

/* Whose answer comes next. */
enum stage { STAGE_GREETING, STAGE_EHLO, STAGE_STARTTLS, STAGE_AUTH };

/* All but what is the caller's begins as zero. */
struct curl_dialogue {
	const struct smtp_config *relay;	/* the caller's */
	const char *token;			/* the caller's; NULL unless XOAUTH2 */

	char error[CURL_ERROR_SIZE];		/* libcurl's words */
	enum stage stage;
	char last[512];				/* the relay's last line */
	char refusal[256];			/* its last 4xx or 5xx, its first line */
	bool is_continued;
	bool is_authenticated, may_pipeline;
	int64_t heard_ms;			/* when something last came to pass, on the monotonic clock */
	struct session_facts facts;		/* a fault is what ended the talk */
};

/* From now until the transfer ends. The dialogue must outlive `easy`. */
void curl_dialogue_watch(struct curl_dialogue *dialogue, CURL *easy);
/* What perform said when it returned; `went_quiet`: it was told to, because nothing came any more. */
void curl_dialogue_end(struct curl_dialogue *dialogue, CURL *easy, CURLcode code, bool went_quiet);

#endif
