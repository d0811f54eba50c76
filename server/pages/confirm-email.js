/* confirm-email: the owner of a new address says that it is his. */
import { startLink } from "./link.js";

startLink({
	name: "confirm",
	path: "/v1/email-changes",
	verb: "confirm",
	ends: { expired: [], used: ["sign_in"], revoked: [], unknown: [] },
});
