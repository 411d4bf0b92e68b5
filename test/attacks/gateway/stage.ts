import type { MessageInitShape } from "@bufbuild/protobuf";
import { createRecipient } from "@sallyport/client";
import { SealingSuite } from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import {
  type ReadSecretsRequestSchema,
  ReadService,
} from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import type { Identity } from "@sallyport/client";
import { expect, test } from "vitest";
import { type Field, layOutField } from "../field.ts";
import { type Signed, signAs } from "../../system/signed.ts";
import { type Cheat, type ReadCheat, takeOverGateway } from "./cheat.ts";

/** What the attacks have to work with: the deployment, and the gateway that cheats in it. */
export type Stage = { readonly field: Field; readonly cheat: Cheat } & AsyncDisposable;

/** Starts the deployment of this folder's attacks. */
export async function setStage(): Promise<Stage> {
  const field = await layOutField();
  const cheat = takeOverGateway(field.system);
  return {
    field,
    cheat,
    async [Symbol.asyncDispose]() {
      cheat[Symbol.dispose]();
      await field[Symbol.asyncDispose]();
    },
  };
}

type AskedInit = Omit<MessageInitShape<typeof ReadSecretsRequestSchema>, "$typeName" | "$unknown">;

/** One lie told to crypto about a read that a machine truly signed. */
export type OpenAttack = {
  readonly name: string;
  /** What the machine signed; by default it reads its two secrets, sealed, all or nothing. */
  readonly asked?: (field: Field) => AskedInit;
  readonly cheat: (stage: Stage, signed: Signed) => ReadCheat | Promise<ReadCheat>;
  /** The step of crypto that refuses, and what it says. */
  readonly step: string;
  readonly says: string;
};

const recipient = await createRecipient();

/** A key to seal replies to, as a client's. */
export const sealTo = {
  suite: SealingSuite.HPKE_X25519_SHA256_AES256GCM,
  publicKey: recipient.publicKey,
};

/** Signs a read as the machine does. */
export function askFor(identity: Identity, asked: AskedInit, clock?: () => number) {
  return signAs(identity, ReadService.method.readSecrets, { recipient: sealTo, ...asked }, clock);
}

const readTwo = ({ granted }: Field): AskedInit => ({ secretIds: granted, allOrNothing: true });

/**
 * Tests each attack with a signature of its own: refused at the step and with the words named, with
 * nothing on record as read; then the very same signed request opens without the lie, which shows
 * that the lie alone was refused.
 */
export function testOpenAttacks(stage: () => Stage, attacks: readonly OpenAttack[]): void {
  test.each(attacks)("$name", async ({ asked = readTwo, cheat: lie, step, says }) => {
    const { field, cheat } = stage();
    const signed = askFor(field.machine, asked(field));
    const refused = await cheat.read(signed, await lie(stage(), signed));
    expect(refused.verdict).toBe(`EVIDENCE_INVALID ${step}`);
    expect(await field.ledger.refusalsOf("crypto", refused.requestId)).toContain(
      `${step}: ${says}`,
    );
    // Crypto reports nothing but what it opens: what is not proven is nobody's read, and is logged
    // and counted instead.
    expect(await field.ledger.of(signed.digest)).toEqual([]);

    const honest = await cheat.read(signed);
    expect(honest.verdict).toBe("opened");
    const reads = (await field.ledger.of(signed.digest)).filter(
      ({ action }) => action === "secret.read",
    );
    expect(reads.map(({ emitter }) => emitter)).toEqual(honest.opened?.secrets.map(() => "crypto"));
    expect(reads.every(({ machine_id }) => machine_id === field.machine.principalId)).toBe(true);
  });
}

/** The first of the two secrets that the machine may read. */
export function firstOf({ granted }: Field): string {
  return granted[0] ?? "";
}
