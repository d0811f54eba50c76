/*
 * sign-in: a login and a password become a session cookie.
 *
 * A session that is there already is shown, with the way on; it never redirects by
 * itself: an application that refuses the session would send it straight back.
 */
import { call, failureText } from "./api.js";
import { forgetPassword, onSubmit, organization, value } from "./form.js";
import { element, nextAddress, pageAddress, say, show } from "./page.js";

const forgotAddress = () => pageAddress("/forgot-password", organization());

function showForm(message) {
	const login = element("login");
	const target = login.value ? element("password") : login;
	show({ form: true, heading: "sign_in", lead: message, mood: message ? "good" : "ask",
		focus: matchMedia("(pointer: fine)").matches ? target : undefined,
		actions: [{ text: "forgot", href: forgotAddress }] });
}

async function signOut() {
	const answer = await call("DELETE", "/v1/sessions/current");
	if (answer.ok || answer.code === "unauthenticated") {
		showForm("signed_out");
	} else {
		say(element("lead"), ...failureText(answer));
	}
}

function showSession({ user }) {
	const actions = [{ text: "sign_out", run: signOut }];
	if (nextAddress()) {
		actions.unshift({ text: "go_on", href: nextAddress });
	}
	show({ heading: "signed_in", lead: user && ["signed_in_lead", { name: `${user.first_name} ${user.last_name}` }], mood: "good", actions });
}

async function signIn() {
	const answer = await call("POST", "/v1/sessions?transport=cookie",
		{ organization: organization(), login: value("login").trim(), password: value("password") });
	if (answer.code === "password_reset_required") {
		forgetPassword();
		show({ heading: answer.code, lead: `${answer.code}_lead`,
			actions: [{ text: "ask_link", href: forgotAddress }] });
	} else if (!answer.ok) {
		return answer;
	} else if (nextAddress()) {
		location.replace(nextAddress());
	} else {
		forgetPassword();
		showSession(answer.body);
	}
	return null;
}

onSubmit(signIn);
show({ heading: "sign_in", mood: "wait" });
const session = await call("GET", "/v1/sessions/current");
if (session.ok) {
	showSession(session.body);
} else {
	showForm();
}
