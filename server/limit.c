/*
 * Rate limits: per address for those without credentials, per user or key for the others.
 *
 * A wrong credential counts for the address it comes from, and past the limit it is told
 * 429 as any other stranger. A right one never does, and is not refused for what others at its
 * address do, but for what follows: many people share an address, and behind a proxy that nobody
 * has named all of them do. One request counts once, also when it is decided again.
 *
 * To find out that a well-formed token is nobody's costs a reading of the database, and it is that
 * which a guesser spends. To refuse it as soon as the address has no request left would put out, with
 * one who guesses there, everybody who is right there. So it is bounded in two ways at once:
 *
 * - Wrong tokens that were looked up count in a bucket of their own, ten times as large as the
 *   address's; once it is empty, tokens from there are refused without being looked up,
 * - but those that were right within a day, or were made by signing in (shared_page.h), are always
 *   looked up. While somebody guesses at his address, that reaches only who comes for the first time in
 *   a day, or since all processes were started; he is told when to come again.
 *
 * auth/verify is never told 429, and nothing here bounds what is looked up for it: a proxy asks for all its
 * clients, and has to bound each of them (deploy/PROXIES.md).
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

#define GUESSES 10	/* times the limit of an address */
#define GUESS_KEY "guess/"

static void
tell(struct request *rq, const char *policy, int per_minute, const struct rate_state *state)
{
	request_header(rq, "RateLimit-Policy", arena_printf(rq->scratch, "\"%s\";q=%d;w=%d", policy, per_minute, WINDOW_S));
	request_header(rq, "RateLimit", arena_printf(rq->scratch, "\"%s\";r=%d;t=%d", policy, state->left, state->wait_s));
}

static enum step
refuse(struct request *rq, const struct rate_state *state)
{
	metric_add(rq->server->page, METRIC_RATE_LIMITED, 1);
	return request_problem_later(rq, PROBLEM_RATE_LIMITED, state->wait_s);
}

static enum step
count(struct request *rq, const char *policy, const void *key, size_t length, int per_minute)
{
	struct rate_state state;
	bool passes;

	if (per_minute == 0 || rq->is_counted)
		return STEP_NEXT;
	rq->is_counted = true;
	passes = rate_limit_pass(rq->server->page, key, (int)length, per_minute, &state);
	tell(rq, policy, per_minute, &state);
	return passes ? STEP_NEXT : refuse(rq, &state);
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

/* Longer than a network and shorter than a credential, so no other limit has this key. */
static int
guess_key(const struct request *rq, uint8_t key[sizeof(GUESS_KEY) - 1 + CLIENT_NETWORK_MAX])
{
	memcpy(key, GUESS_KEY, sizeof(GUESS_KEY) - 1);
	return (int)sizeof(GUESS_KEY) - 1 + client_address_network(rq->ip, key + sizeof(GUESS_KEY) - 1);
}

enum step
limit_guesses(struct request *rq)
{
	const int per_minute = rq->server->config->rate_limit * GUESSES;
	uint8_t key[sizeof(GUESS_KEY) - 1 + CLIENT_NETWORK_MAX];
	struct rate_state state;

	/* Who is decided again was right a moment ago. */
	if (per_minute == 0 || rq->route->is_unlimited || rq->is_counted || credential_is_known(rq->server->page, rq->caller.token_hash))
		return STEP_NEXT;
	if (rate_limit_has_room(rq->server->page, key, guess_key(rq, key), per_minute, &state))
		return STEP_NEXT;
	rq->is_counted = true;
	tell(rq, "guess", per_minute, &state);
	return refuse(rq, &state);
}

void
limit_remember(struct request *rq, const char *token_hash)
{
	if (rq->server->config->rate_limit > 0)
		credential_remember(rq->server->page, token_hash);
}

void
limit_guess_was_wrong(struct request *rq)
{
	const int per_minute = rq->server->config->rate_limit * GUESSES;
	uint8_t key[sizeof(GUESS_KEY) - 1 + CLIENT_NETWORK_MAX];
	struct rate_state state;

	if (per_minute == 0 || rq->route->is_unlimited)
		return;
	credential_forget(rq->server->page, rq->caller.token_hash);
	/* Those that were on their way when it ran empty are past it. */
	(void)!rate_limit_pass(rq->server->page, key, guess_key(rq, key), per_minute, &state);
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
