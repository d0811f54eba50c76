/*
 * forgot-password: asks for a mail with a link.
 *
 * The API answers alike whether the login exists or not, and so does this page.
 */
import { call } from "./api.js";
import { onSubmit, organization, value } from "./form.js";
import { element, pageAddress, show } from "./page.js";

const back = { text: "back", href: () => pageAddress("/sign-in", organization()) };

function showForm() {
	show({ form: true, heading: "forgot_heading", lead: "forgot_lead", actions: [back],
		focus: matchMedia("(pointer: fine)").matches ? element("login") : undefined });
}

async function ask() {
	const login = value("login").trim();
	const answer = await call("POST", "/v1/password-resets", { organization: organization(), login });
	if (!answer.ok) {
		return answer;
	}
	show({ heading: "forgot_done", lead: ["forgot_done_lead", { login }], mood: "good",
		actions: [back, { text: "forgot_other", run: showForm }] });
	return null;
}

onSubmit(ask);
showForm();
