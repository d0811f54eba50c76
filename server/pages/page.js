/*
 * page: what every page stands on: its language, its one visible state, its addresses.
 *
 * An element that speaks carries the key of its text in data-text, so changing the
 * language says everything again in place: nothing typed is lost and the fragment,
 * where a link's token lives, is not touched. Texts enter the page as textContent
 * only, never as markup.
 */
import { languages, loadTexts, localeOf, preferredLanguage } from "./texts.js";

export const query = new URLSearchParams(location.search);
export const element = id => document.getElementById(id);

let language = preferredLanguage(query);
let texts = await loadTexts(language);
let brand = "Rollcall";
const valuesOf = new WeakMap();

/* A value may be a function of the locale: dates are written anew in each language. */
function fill(key, values) {
	return texts[key].replace(/\{(\w+)\}/g, (_, name) => {
		const value = values[name];
		return typeof value === "function" ? value(localeOf(language)) : value ?? "";
	});
}

/* Lets an element say a text, now and in any language chosen later; no key: silence. */
export function say(target, key, values = {}) {
	target.dataset.text = key ?? "";
	valuesOf.set(target, values);
	target.textContent = key ? fill(key, values) : "";
}

function sayAll() {
	document.documentElement.lang = language;
	for (const target of document.querySelectorAll("[data-text]")) {
		say(target, target.dataset.text, valuesOf.get(target));
	}
	for (const choice of element("languages").children) {
		choice.setAttribute("aria-pressed", choice.lang === language);
	}
	element("languages").setAttribute("aria-label", texts.languages);
	sayTitle();
}

function sayTitle() {
	const heading = element("heading").textContent;
	document.title = heading ? `${heading} · ${brand}` : brand;
}

export function setBrand(name) {
	brand = name || brand;
	element("brand").textContent = brand;
	sayTitle();
}

async function changeLanguage(code) {
	try {
		texts = await loadTexts(code);
	} catch {
		return;	/* No network: the page goes on in the language it has. */
	}
	language = code;
	const address = new URL(location.href);
	address.searchParams.set("lang", code);
	query.set("lang", code);
	history.replaceState(null, "", address);
	sayAll();
}

function offerLanguages() {
	for (const [code, name] of Object.entries(languages)) {
		const choice = document.createElement("button");
		choice.type = "button";
		choice.lang = code;
		choice.textContent = name;
		choice.addEventListener("click", () => changeLanguage(code));
		element("languages").append(choice);
	}
}

/* The address of another page, with what belongs to the visit: organization,
 * language, and where to go afterwards. Never a login, never a token. */
export function pageAddress(path, organization) {
	const carried = new URLSearchParams();
	const visit = {
		organization: organization || query.get("organization"),
		lang: query.get("lang"),
		next: query.get("next"),
	};
	for (const [name, value] of Object.entries(visit)) {
		if (value) {
			carried.set(name, value);
		}
	}
	const search = carried.toString();
	return search ? `${path}?${search}` : path;
}

/* `next`, if it stays on this origin. A path that comes out with two slashes in front
 * ("/.//host") is another host to some readers, and no path to the server. */
export function nextAddress() {
	const next = query.get("next") ?? "";
	if (!/^\/(?![/\\])[^\\]*$/.test(next)) {
		return null;
	}
	const address = new URL(next, location.origin);
	const stays = address.origin === location.origin && !address.pathname.startsWith("//");
	return stays ? address.href : null;
}

function actionElement({ text, href, run }) {
	const action = document.createElement(href ? "a" : "button");
	if (href) {
		action.href = href();
		/* Again at the click: the language or the organization may be another by now. */
		action.addEventListener("click", () => { action.href = href(); });
	} else {
		action.type = "button";
		action.addEventListener("click", () => run(action));
	}
	say(action, text);
	return action;
}

/*
 * Shows a state: a heading and a lead (keys, or [key, values]), the form or not, and
 * the actions below, the first of which stands out where there is no form: links
 * (`href` makes the address) or buttons (`run`). `mood` (wait, ask, good, bad) colours
 * the row of dots. Returns the elements of the actions.
 */
export function show({ heading, lead, mood = "ask", form = false, actions = [], focus }) {
	say(element("heading"), ...[heading].flat());
	say(element("lead"), ...[lead ?? null].flat());
	element("card").dataset.mood = mood;
	for (const each of document.forms) {
		each.hidden = !form;
	}
	const made = actions.map(actionElement);
	made[0]?.classList.toggle("primary", !form);
	element("actions").replaceChildren(...made);
	sayTitle();
	/* Focus on the heading tells a screen reader that the page has changed. */
	(focus ?? element("heading")).focus();
	return made;
}

offerLanguages();
sayAll();
