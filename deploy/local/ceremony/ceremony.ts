import { existsSync } from "node:fs";
import { join } from "node:path";
import type { PublishedKey } from "@sallyport/cli/keyset";
import { newSeed, writePrivateFile } from "@sallyport/client";
import type { AnswerOwner } from "@sallyport/proto/signing";
import { renewCertificates } from "./certificates.ts";
import { runProgram } from "../host/command.ts";
import { rootKeyFile, signKeyset } from "./keyset.ts";
import type { Layout } from "../data/layout.ts";
import { type Deployment, type Standing, edgeCaFile, markHeld } from "./standing.ts";

/**
 * Makes everything that a deployment's trust rests on, once: the root key, the KEK and the keyring,
 * the services' keys, the keyset signed by the root, and the certificates. One that was cut off is
 * finished: every key that exists is kept.
 */
export async function holdCeremony(
  layout: Layout,
  publicName: string,
  standing: Standing,
): Promise<Deployment> {
  if (typeof standing === "object") return standing;
  const keys = await makeServiceKeys(layout);
  await makeRoot(layout);
  const { rootFingerprint } = await signKeyset(layout, keys);
  await renewCertificates(layout, { publicName });
  const deployment = { rootFingerprint, edgeCaFile: edgeCaFile(layout) };
  await markHeld(layout, deployment);
  return deployment;
}

async function makeRoot(layout: Layout): Promise<void> {
  const file = rootKeyFile(layout);
  if (!existsSync(file))
    await writePrivateFile(file, `${Buffer.from(newSeed()).toString("base64")}\n`);
}

/**
 * Makes the keys of the services as far as they are missing, and returns their public halves for
 * the keyset.
 */
export async function makeServiceKeys(layout: Layout): Promise<PublishedKey[]> {
  const [crypto, policy, secrets] = [
    layout.folder("crypto"),
    layout.folder("policy"),
    layout.folder("secrets"),
  ];
  const files = {
    SALLYPORT_KEK: `file:${join(crypto, "kek.key")}`,
    SALLYPORT_KEYRING_FILE: join(crypto, "keyring.bin"),
    SALLYPORT_PERMIT_KEY_FILE: join(policy, "permit.key"),
    SALLYPORT_SLIP_KEY_FILE: join(secrets, "slip.key"),
  };
  const answer = (owner: AnswerOwner) => ({
    SALLYPORT_ANSWER_KEY_FILE: join(layout.folder(owner), "answer.key"),
  });
  const credential = {
    SALLYPORT_CREDENTIAL_KEY_FILE: join(layout.folder("identity"), "credential.key"),
  };
  const log = { SALLYPORT_LOG_KEY_FILE: join(layout.folder("audit"), "log.key") };
  const outputs = await Promise.all([
    runProgram("services/crypto/src/keyring-create.ts", files),
    runProgram("services/identity/src/key-create.ts", { ...credential, ...answer("identity") }),
    runProgram("services/policy/src/key-create.ts", answer("policy")),
    runProgram("services/secrets/src/key-create.ts", answer("secrets")),
    runProgram("services/audit/src/key-create.ts", { ...log, ...answer("audit") }),
  ]);
  return outputs.flatMap((output) => (JSON.parse(output) as { keys: PublishedKey[] }).keys);
}
