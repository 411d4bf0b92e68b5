import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { newSeed, privateKeyOf, rawPublicKey, signBytes, writePrivateFile } from "@sallyport/client";
import {
  KeyUse,
  KeysetClaimsSchema,
  KeysetSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { type AnswerOwner, LABELS, labelled, rootFingerprint } from "@sallyport/proto/signing";
import { renewCertificates } from "./certificates.ts";
import { runProgram } from "./command.ts";
import { type Layout, processes } from "./layout.ts";
import { type Deployment, type Standing, markHeld } from "./standing.ts";

type PublicKeyLine = {
  readonly keyId: string;
  readonly use: keyof typeof KeyUse;
  readonly holder?: string;
  readonly publicKey: string;
};

const keysetYears = 1;
const keysetFile = "keyset.bin";

/**
 * Makes everything that a deployment's trust rests on, once: the root key, the KEK and the keyring, the services' keys,
 * the keyset signed by the root, and the certificates. One that was cut off is finished: every key that exists is kept.
 */
export async function holdCeremony(
  layout: Layout,
  publicName: string,
  standing: Standing,
): Promise<Deployment> {
  if (typeof standing === "object") return standing;
  const keys = await makeServiceKeys(layout);
  const root = await keptOrNewRoot(join(layout.root, "root.key"));
  const keyset = signKeyset(root, keys);
  for (const name of processes) await writePrivateFile(join(layout.folder(name), keysetFile), keyset);
  await renewCertificates(layout, { publicName });
  const edgeCaFile = join(layout.authorities, "edge", "ca.pem");
  const deployment = { rootFingerprint: rootFingerprint(rawPublicKey(privateKeyOf(root))), edgeCaFile };
  await markHeld(layout, deployment);
  return deployment;
}

async function keptOrNewRoot(file: string): Promise<Uint8Array> {
  if (!existsSync(file)) await writePrivateFile(file, `${Buffer.from(newSeed()).toString("base64")}\n`);
  const root = Buffer.from(readFileSync(file, "utf8"), "base64");
  if (root.length !== 32) throw new Error(`${file} does not hold a root key of 32 bytes in base64`);
  return root;
}

async function makeServiceKeys(layout: Layout): Promise<PublicKeyLine[]> {
  const [crypto, policy, secrets] = [
    layout.folder("crypto"),
    layout.folder("policy"),
    layout.folder("secrets"),
  ];
  const files = {
    SALLYPORT_KEK_FILE: join(crypto, "kek.key"),
    SALLYPORT_KEYRING_FILE: join(crypto, "keyring.bin"),
    SALLYPORT_PERMIT_KEY_FILE: join(policy, "permit.key"),
    SALLYPORT_SLIP_KEY_FILE: join(secrets, "slip.key"),
  };
  const answer = (owner: AnswerOwner) => ({
    SALLYPORT_ANSWER_KEY_FILE: join(layout.folder(owner), "answer.key"),
  });
  const credential = { SALLYPORT_CREDENTIAL_KEY_FILE: join(layout.folder("identity"), "credential.key") };
  const log = { SALLYPORT_LOG_KEY_FILE: join(layout.folder("audit"), "log.key") };
  const outputs = await Promise.all([
    runProgram("services/crypto/src/keyring-create.ts", files),
    runProgram("services/identity/src/key-create.ts", { ...credential, ...answer("identity") }),
    runProgram("services/policy/src/key-create.ts", answer("policy")),
    runProgram("services/secrets/src/key-create.ts", answer("secrets")),
    runProgram("services/audit/src/key-create.ts", { ...log, ...answer("audit") }),
  ]);
  return outputs.flatMap((output) => (JSON.parse(output) as { keys: PublicKeyLine[] }).keys);
}

function signKeyset(root: Uint8Array, keys: readonly PublicKeyLine[]): Uint8Array {
  const notAfter = timestampFromMs(Date.now() + keysetYears * 365 * 86_400_000);
  const claims = create(KeysetClaimsSchema, {
    epoch: 1,
    notAfter,
    keys: keys.map(({ keyId, use, holder = "", publicKey }) => ({
      keyId,
      use: KeyUse[use],
      holder,
      publicKey: Buffer.from(publicKey, "base64"),
    })),
  });
  const payload = toBinary(KeysetClaimsSchema, claims);
  const privateKey = privateKeyOf(root);
  const signature = signBytes(privateKey, labelled(LABELS.keyset, payload));
  return toBinary(
    KeysetSchema,
    create(KeysetSchema, { payload, rootPublicKey: rawPublicKey(privateKey), signature }),
  );
}
