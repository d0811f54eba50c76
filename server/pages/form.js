/*
 * form: the one form of a page: faults beside their fields, one submission at a time,
 * waiting as long as the API asks, and the help that a password field gives.
 *
 * The API decides what is acceptable; only an empty field is refused here. Buttons
 * that must wait are aria-disabled, not disabled: they keep the focus.
 */
import { failureText, mayPass } from "./api.js";
import { element, query, say } from "./page.js";

const form = document.forms[0];
const button = form.querySelector("[type=submit]");
const password = element("password");
let isBusy = false;
let leastLength = 0;

const lengthOf = text => [...text].length;	/* code points, as the API counts */

export const value = name => element(name).value;

/* What goes along as `organization`: the field once it was asked for, else the page's. */
export function organization() {
	const field = element("organization");
	return (field && !field.parentElement.hidden ? field.value.trim() : query.get("organization")) || undefined;
}

function setFault(input, key, values) {
	say(element(`${input.id}-error`), key, values);
	if (key) {
		input.setAttribute("aria-invalid", "true");
	} else {
		input.removeAttribute("aria-invalid");
	}
}

const inputs = () => [...form.querySelectorAll("input[aria-describedby]")];

export function clearFaults() {
	say(element("problem"), null);
	inputs().forEach(input => setFault(input, null));
}

/* Never trusts a code to have a text of its own. */
function showFault(input, { code, detail }) {
	const least = code === "too_short" && /\d+/.exec(detail)?.[0];
	if (least) {
		leastLength = Number(least);
		countPassword();
		setFault(input, "too_short_least", { least });
	} else {
		setFault(input, ["required", "too_short", "too_long", "too_common"].includes(code) ? code : "invalid");
	}
}

function showProblem(answer) {
	say(element("problem"), ...failureText(answer));
}

/* Shows why the API refused, and puts the focus where it can be mended. */
function refuse(answer) {
	const faulty = [];
	for (const error of answer.errors) {
		const input = inputs().find(each => error.pointer === `/${each.id}`);
		if (input) {
			input.closest(".field").hidden = false;
			showFault(input, error);
			faulty.push(input);
		}
	}
	if (faulty.length === 0) {
		showProblem(answer);
	}
	faulty[0]?.focus();
	if (answer.code === "login_failed") {
		password.focus();
		password.select();
	}
}

function hasEmptyField() {
	const empty = inputs().filter(input => input.required && !input.closest(".field").hidden && input.value === "");
	empty.forEach(input => setFault(input, "required"));
	empty[0]?.focus();
	return empty.length > 0;
}

function clock(seconds) {
	return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/* Makes a button wait and count down; it says its own text again at the end. */
export async function hold(target, seconds) {
	const key = target.dataset.text;
	const until = Date.now() + seconds * 1000;
	target.setAttribute("aria-disabled", "true");
	for (let left = seconds; left > 0; left = Math.ceil((until - Date.now()) / 1000)) {
		say(target, "again_in", { time: clock(left) });
		await new Promise(resolve => setTimeout(resolve, 250));
	}
	say(target, key);
	target.removeAttribute("aria-disabled");
}

export const isHeld = target => target.getAttribute("aria-disabled") === "true";

/* Runs `send` on submit; it returns the API's answer when that is a refusal to show
 * in the form, and nothing once it has shown another state. */
export function onSubmit(send) {
	form.addEventListener("submit", async event => {
		event.preventDefault();
		if (isBusy || isHeld(button)) {
			return;
		}
		clearFaults();
		if (hasEmptyField()) {
			return;
		}
		const key = button.dataset.text;
		isBusy = true;
		say(button, "loading");
		const refusal = await send();
		say(button, key);
		isBusy = false;
		if (refusal) {
			refuse(refusal);
			await (mayPass(refusal) && hold(button, refusal.retryAfterS));
		}
	});
}

/* After success nothing secret stays in the page. */
export function forgetPassword() {
	element("show").checked = false;
	password.type = "password";
	password.value = "";
	countPassword();
}

function countPassword() {
	const hint = element("count");
	if (hint) {
		say(hint, leastLength ? "count_least" : "count", { count: lengthOf(password.value), least: leastLength });
	}
}

for (const input of inputs()) {
	input.addEventListener("input", () => setFault(input, null));
}
if (password) {
	password.addEventListener("input", countPassword);
	element("show").addEventListener("change", event => {
		password.type = event.target.checked ? "text" : "password";
	});
	countPassword();
}
