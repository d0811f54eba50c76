/* not-found: the page for every address that has none. */
import { pageAddress, show } from "./page.js";

show({ heading: "not_found", lead: "not_found_lead", mood: "bad",
	actions: [{ text: "sign_in", href: () => pageAddress("/sign-in") }] });
