// Lints an OpenAPI document under redocly.yaml: node lint.mjs FILE. Prints one line a problem; exit code 1 when there is any.
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "package.json"));
const { lint, loadConfig } = require("@redocly/openapi-core");
const config = await loadConfig({ configPath: path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "redocly.yaml") });
const problems = await lint({ ref: process.argv[2], config });

for (const { ruleId, severity, message, location } of problems)
	console.log(`${severity} ${ruleId} at ${location[0]?.pointer ?? ""}: ${message}`);
process.exit(problems.length > 0 ? 1 : 0);
