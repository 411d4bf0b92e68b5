import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { isId } from "@sallyport/proto/ids";
import { makeRecoveryCode } from "./ceremony/recovery.ts";

const usage = `Usage: node deploy/local/recover-owner.ts VAULT_ID [--data DIR]

Makes a login code for a new owner of a vault whose owners cannot log in any more, valid for a day.
The system must be running. Prints the file that holds the code; the vault's log shows
login_code.created with recovery.
`;

try {
  const { values, positionals } = parseArgs({
    options: {
      data: { type: "string", default: ".sallyport" },
      help: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [vaultId = "", ...more] = positionals;
  if (values.help) process.stdout.write(usage);
  else if (!isId("vlt", vaultId) || more.length > 0)
    throw new Error(`${vaultId} is not one vault id\n${usage}`);
  else process.stdout.write(`${await makeRecoveryCode(resolve(values.data), vaultId)}\n`);
} catch (error) {
  process.stderr.write(`sallyport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
