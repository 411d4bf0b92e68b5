import {
  PrincipalKind,
  PrincipalKindSchema,
  RoleSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { enumName } from "@sallyport/proto/names";
import { Command } from "commander";
import { printJson, printLine } from "../output.ts";
import { actAs } from "../profile.ts";

/** `sallyport whoami`: what the server knows of the identity in use. */
export function whoamiCommand(): Command {
  return new Command("whoami")
    .description("Show who this identity is to the server")
    .option("--machine", "the machine identity instead of the user's")
    .option("--json", "print the result as JSON")
    .action(async (options: { machine?: true; json?: true }) => {
      const me = await actAs(options.machine ? "machine" : "user", (client) =>
        client.services.users.whoAmI({}),
      );
      const { principalId, name, vaultId, vaultName } = me;
      const kind = enumName(PrincipalKindSchema, me.kind).toLowerCase();
      const role = me.kind === PrincipalKind.USER ? enumName(RoleSchema, me.role).toLowerCase() : undefined;
      if (options.json) return printJson({ principalId, kind, name, vaultId, vaultName, role });
      printLine(`${name} (${principalId}), ${role ?? kind} in ${vaultName} (${vaultId})`);
    });
}
