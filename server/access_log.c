/*
 * The words of the access log.
 */
#include "access_log.h"

#include <stdio.h>

#include "log.h"
#include "request.h"
#include "route.h"

static const char *
caller_word(const struct request *rq)
{
	static const char *const words[] = {
		[CALLER_NOBODY] = "nobody", [CALLER_USER] = "user", [CALLER_API_KEY] = "api_key", [CALLER_OPERATOR] = "operator",
	};

	return words[rq->caller.kind];
}

void
access_log_request(const struct request *rq, int status, int64_t took_us)
{
	const enum log_level level = status >= 500 && status != 503 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
	char code[16], took[32];

	if (!log_wants(level))
		return;
	snprintf(code, sizeof(code), "%d", status);
	snprintf(took, sizeof(took), "%lld.%03d", (long long)(took_us / 1000), (int)(took_us % 1000));
	log_event(level, "answered", "method", http_method_word(rq->method), "route", rq->route != NULL ? rq->route->path : "none",
		"status", code, "duration_ms", took, "request_id", rq->id, "address", rq->ip, "actor", caller_word(rq), NULL);
}

void
access_log_refusal(int status, const char *why, const char *peer, const char *id)
{
	char code[16];

	snprintf(code, sizeof(code), "%d", status);
	log_info("refused a request", "status", code, "reason", why, "request_id", id, "address", peer, NULL);
}
