import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { formatToken, newTokenSecret } from "@sallyport/client";
import { KeysetSchema } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { rootFingerprint } from "@sallyport/proto/signing";
import { runProgram } from "../host/command.ts";
import { ownerUrlFile } from "../servers/databases.ts";
import { layOut } from "../data/layout.ts";

/**
 * Makes a login code for a new owner of a vault whose owners cannot act any more, with the database
 * owner's role, and returns the file that it is in, of mode 0600. The system runs meanwhile. Throws
 * an Error with a sentence for the operator.
 */
export async function makeRecoveryCode(data: string, vaultId: string): Promise<string> {
  if (!existsSync(join(data, "supervisor")))
    throw new Error(`${data} is no data directory: give --data`);
  const layout = layOut(data);
  const { seed, publicKeySha256 } = newTokenSecret();
  const env = { SALLYPORT_DATABASE_URL_FILE: ownerUrlFile(layout, "identity") };
  const args = [
    "--recover-vault",
    vaultId,
    "--owner-key-sha256",
    Buffer.from(publicKeySha256).toString("hex"),
  ];
  const made = JSON.parse(await runProgram("services/identity/src/bootstrap.ts", env, args)) as {
    codeId: string;
  };
  const keyset = fromBinary(
    KeysetSchema,
    readFileSync(join(layout.folder("identity"), "keyset.bin")),
  );
  const parts = {
    id: made.codeId,
    vaultId,
    rootFingerprint: rootFingerprint(keyset.rootPublicKey),
    seed,
  };
  const file = join(layout.owner, "recovery-code");
  writeFileSync(file, `${formatToken("login", parts)}\n`, { mode: 0o600 });
  return file;
}
