import { arch, platform, release } from "node:os";
import { version } from "@sallyport/client/version";
import { defineCommand } from "../definition/define.ts";
import { object, text } from "../definition/shape.ts";

/** `sallyport version`: what a report of a fault should name. */
export const versionCommand = defineCommand({
  description: '"sallyport --version" prints the version alone.',
  args: {},
  options: {},
  examples: [["sallyport version --json", "for a report"]],
  json: object({
    version: text("of this program"),
    node: text("of the runtime"),
    openssl: text("of its TLS"),
    platform: text("the system, its version and architecture"),
  }),
  run: async () => ({
    version,
    node: process.versions.node,
    openssl: process.versions.openssl ?? "",
    platform: `${platform()} ${release()} ${arch()}`,
  }),
  show: (versions, screen) => screen.facts(Object.entries(versions)),
});
