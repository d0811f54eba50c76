/*
 * link: a mailed link, from its first opening to what is done with it: a password is
 * set, or a new address confirmed.
 *
 * The token is the fragment, which no browser sends; from here it goes only into the
 * body of a POST. It stays in the address bar until the link is used, so that a reload
 * works, and is then taken out of the history. Opening never uses a link up: only the
 * form's button does, which mail scanners do not press.
 */
import { call, failureText, mayPass } from "./api.js";
import { forgetPassword, hold, isHeld, onSubmit, value } from "./form.js";
import { element, pageAddress, setBrand, show } from "./page.js";

/* How a link can be dead, and what the page then offers. */
const ENDS = { link_expired: "expired", link_used: "used", link_revoked: "revoked", link_unknown: "unknown" };

/* Mail programs like to add a bracket, a stop or a space to the end of a link. */
const token = () => location.hash.replace(/%[0-9a-f]{2}|[^\w-]/gi, "");

let organization = "";
const signInAddress = () => pageAddress("/sign-in", organization);
const forgotAddress = () => pageAddress("/forgot-password", organization);

function showEnd({ name, ends }, code) {
	const end = ENDS[code];
	const offers = {
		sign_in: { text: "sign_in", href: signInAddress },
		ask_link: { text: "ask_link", href: forgotAddress },
		forgot: { text: "forgot", href: forgotAddress },
	};
	show({ heading: `${name}_${end}`, lead: `${name}_${end}_lead`, mood: "bad",
		actions: ends[end].map(offer => offers[offer]) });
}

function showFailure(link, answer) {
	const run = action => isHeld(action) || openLink(link);
	const [retry] = show({ heading: "not_opened", lead: failureText(answer), mood: "bad", actions: [{ text: "again", run }] });
	if (mayPass(answer)) {
		hold(retry, answer.retryAfterS);
	}
}

function showForm({ name }, { organization: company, login, email, first_name, expires_at }) {
	const until = locale => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" })
		.format(new Date(expires_at));
	const field = element("login");
	if (field) {
		field.value = login ?? "";
		field.parentElement.hidden = !login;
	}
	const heading = name === "accept" && !first_name ? "accept_nameless" : name;
	show({ form: true, heading: [heading, { name: first_name }], lead: [`${name}_lead`, { organization: company, email, until }] });
}

async function openLink(link) {
	const sent = token();
	show({ heading: "loading", mood: "wait" });
	const answer = sent ? await call("POST", `${link.path}/inspect`, { token: sent }) : { code: "link_unknown" };
	if (sent !== token()) {
		return;	/* Another link was pasted meanwhile; its own answer is on the way. */
	}
	if (answer.ok) {
		organization = answer.body.organization_slug ?? "";
		setBrand(answer.body.organization);
		showForm(link, answer.body);
	} else if (answer.code === "invalid_body" || ENDS[answer.code]) {
		showEnd(link, ENDS[answer.code] ? answer.code : "link_unknown");
	} else {
		showFailure(link, answer);
	}
}

async function useLink(link) {
	const setsPassword = Boolean(element("password"));
	const sent = { token: token(), ...(setsPassword && { password: value("password") }) };
	const answer = await call("POST", `${link.path}/${link.verb}`, sent);
	if (ENDS[answer.code]) {
		showEnd(link, answer.code);
	} else if (!answer.ok) {
		return answer;
	} else {
		if (setsPassword) {
			forgetPassword();
		}
		/* Reloading from here on is a sign-in, and Back finds no token. */
		history.replaceState(null, "", signInAddress());
		show({ heading: `${link.name}_done`, lead: [`${link.name}_done_lead`, { login: element("login")?.value }],
			mood: "good", actions: [{ text: "sign_in", href: signInAddress }] });
	}
	return null;
}

/* link: {name (prefix of its texts), path, verb, ends: {end: [offer, ...]}} */
export function startLink(link) {
	onSubmit(() => useLink(link));
	addEventListener("hashchange", () => openLink(link));
	openLink(link);
}
