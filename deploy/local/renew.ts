import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { renewCertificates } from "./ceremony/certificates.ts";
import { layOut } from "./data/layout.ts";
import { publicName } from "./start/settings.ts";

const usage = `Usage: node deploy/local/renew.ts [--data DIR] [--authorities]

Renews every certificate of a deployment now, while it runs or before it starts; running processes
load them within seconds. The start, and a running system every six hours, renew certificates with
less than 60 days left.

  --data DIR     the data directory (default: .sallyport)
  --authorities  also gives each authority a successor: both are in ca.pem then. Give edge/ca.pem
                 to all clients; the successor takes over at the next --authorities, or when the
                 old one has 7 days left
`;

try {
  const { values } = parseArgs({
    options: {
      data: { type: "string", default: ".sallyport" },
      authorities: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) process.stdout.write(usage);
  else await renew(resolve(values.data), values.authorities);
} catch (error) {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

async function renew(data: string, authorities: boolean): Promise<void> {
  if (!existsSync(join(data, "supervisor", "deployment.json")))
    throw new Error(`${data} is no data directory: give --data`);
  const { renewed, warnings } = await renewCertificates(layOut(data), {
    publicName,
    authorities,
    anyway: true,
  });
  for (const what of renewed) process.stdout.write(`${what} is renewed\n`);
  for (const warning of warnings) process.stderr.write(`sallyport: ${warning}\n`);
}
