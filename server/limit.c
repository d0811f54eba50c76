/*
 * Rate limits: per address for those without credentials, per user or key for the others.
 *
 * A wrong credential counts for the address it comes from, and past the limit it is told
 * 429 as any other stranger. A right one never does, and is never refused for what others
 * at its address do: many people share an address, and behind a proxy that nobody has
 * named all of them do. One request counts once, also when it is decided again.
 *
 * The headers are those of draft-ietf-httpapi-ratelimit-headers-10. `t` is the time until
 * the quota is whole again, and once nothing is left of it the time until the next request
 * gets in, which is what Retry-After says.
 */
#include "limit.h"

#include <stdio.h>
#include <string.h>

#include "client_address.h"
#include "config.h"
#include "route.h"
#include "shared_page.h"

#define WINDOW_S 60

static enum step
count(struct request *rq, const char *policy, const void *key, size_t length, int per_minute)
{
	struct rate_state state;
	bool passes;

	if (per_minute == 0 || rq->is_counted)
		return STEP_NEXT;
	rq->is_counted = true;
	passes = rate_limit_pass(rq->server->page, key, (int)length, per_minute, &state);
	request_header(rq, "RateLimit-Policy", arena_printf(rq->scratch, "\"%s\";q=%d;w=%d", policy, per_minute, WINDOW_S));
	request_header(rq, "RateLimit", arena_printf(rq->scratch, "\"%s\";r=%d;t=%d", policy, state.left, state.wait_s));
	if (passes)
		return STEP_NEXT;
	metric_add(rq->server->page, METRIC_RATE_LIMITED, 1);
	return request_problem_later(rq, PROBLEM_RATE_LIMITED, state.wait_s);
}

static enum step
count_address(struct request *rq)
{
	uint8_t network[CLIENT_NETWORK_MAX];
	const int length = client_address_network(rq->ip, network);

	return count(rq, "address", network, (size_t)length, rq->server->config->rate_limit);
}

enum step
limit_anonymous(struct request *rq)
{
	return rq->route->access == ACCESS_ANONYMOUS ? count_address(rq) : STEP_NEXT;
}

enum step
limit_stranger(struct request *rq)
{
	return rq->route->is_unlimited ? STEP_NEXT : count_address(rq);
}

enum step
limit_caller(struct request *rq)
{
	const struct caller *caller = &rq->caller;

	if (caller->kind == CALLER_NOBODY || rq->route->is_unlimited)
		return STEP_NEXT;
	/* Longer than a network, so the keys of the two limits are never the same. */
	const char *key = arena_printf(rq->scratch, "%d/%s/%s", (int)caller->kind,
		rq->org_id != NULL ? rq->org_id : "", caller->id);
	return count(rq, "credential", key, strlen(key), rq->server->config->rate_limit_signed_in);
}
