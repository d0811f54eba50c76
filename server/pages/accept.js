/* accept: an invitation becomes an account with a password. */
import { startLink } from "./link.js";

startLink({
	name: "accept",
	path: "/v1/invitations",
	verb: "accept",
	ends: { expired: [], used: ["sign_in", "forgot"], revoked: [], unknown: [] },
});
