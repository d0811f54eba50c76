/*
 * api: one call to the API, and what its answer means to a page.
 *
 * Never throws: a lost connection is the code "offline", and whatever is no answer of
 * ours (a proxy's 502) is "unavailable". The mode of fetch stays "cors": under
 * Referrer-Policy no-referrer any other would send "Origin: null", which the API
 * takes for another site.
 */
const PATIENCE_MS = 20_000;
const RETRY_S = 5;
const RETRY_MAX_S = 600;

function parse(text) {
	try {
		return JSON.parse(text) ?? {};
	} catch {
		return {};
	}
}

function codeOf(answer, body) {
	if (typeof body.code === "string") {
		return body.code;
	}
	if (answer.ok) {
		return null;
	}
	return answer.status === 429 ? "rate_limited" : answer.status >= 502 ? "unavailable" : "unexpected";
}

/* {ok, body, code (null when ok), errors: [{pointer, code, detail}], retryAfterS, request} */
export async function call(method, path, sent) {
	try {
		const answer = await fetch(path, {
			method,
			headers: sent ? { "Content-Type": "application/json" } : {},
			body: sent && JSON.stringify(sent),
			cache: "no-store",
			redirect: "error",
			signal: AbortSignal.timeout?.(PATIENCE_MS),
		});
		const body = parse(await answer.text());
		const retryAfterS = parseInt(answer.headers.get("Retry-After"), 10) || RETRY_S;
		return {
			ok: answer.ok,
			body,
			code: codeOf(answer, body),
			errors: Array.isArray(body.errors) ? body.errors : [],
			retryAfterS: Math.min(Math.max(retryAfterS, 1), RETRY_MAX_S),
			request: answer.headers.get("X-Request-Id") ?? "–",
		};
	} catch {
		return { ok: false, body: {}, code: "offline", errors: [], retryAfterS: 0, request: "–" };
	}
}

/* The text for a failure that is nobody's field. */
export function failureText(answer) {
	const known = ["offline", "rate_limited", "unavailable", "refused_by_policy", "login_failed", "email_taken"];
	return [known.includes(answer.code) ? answer.code : "unexpected", { request: answer.request }];
}

export const mayPass = answer => ["offline", "rate_limited", "unavailable"].includes(answer.code);
