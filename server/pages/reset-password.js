/* reset-password: a mailed link lets its owner set a new password. */
import { startLink } from "./link.js";

startLink({
	name: "reset",
	path: "/v1/password-resets",
	verb: "complete",
	ends: { expired: ["ask_link"], used: ["sign_in", "ask_link"], revoked: ["ask_link"], unknown: ["ask_link"] },
});
