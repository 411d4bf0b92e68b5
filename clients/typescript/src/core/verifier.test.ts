import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { ErrorInfoSchema } from "@sallyport/proto/gen/google/rpc/error_details_pb.ts";
import { Reason, RefusalSchema } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import {
  type SignedAnswer,
  SignedAnswerSchema,
} from "@sallyport/proto/gen/sallyport/evidence/v1/evidence_pb.ts";
import { ReadService } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { answerHeader } from "@sallyport/proto/signing";
import { afterEach, describe, expect, test } from "vitest";
import { toSallyportError } from "./errors.ts";
import { newSeed, privateKeyOf } from "../node/keys.ts";
import { createSigner } from "../node/signer.ts";
import { type TestOwners, createTestOwners, digestOf, headerOf } from "../testing/owners.ts";
import { createSignedTransport } from "../node/transport.ts";

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A gateway that may lie after the owners have signed, and how often its keyset was asked for. */
async function gateway(
  owners: () => TestOwners,
  lie: Interceptor = (next) => (request) => next(request),
) {
  const asked = { keysets: 0 };
  const signing: Interceptor = (next) => (request) => owners().signing(next)(request);
  const handler = connectNodeAdapter({
    interceptors: [lie, signing],
    routes: (router) => {
      router.rpc(MachineService.method.revokeMachine, () => ({ machine: { name: "runner-1" } }));
      router.rpc(MachineService.method.listMachines, () => ({ machines: [{ name: "runner-1" }] }));
      router.rpc(ReadService.method.getKeyset, () => {
        asked.keysets += 1;
        return { keyset: owners().keyset };
      });
    },
  });
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function machinesAt(url: string, rootFingerprint: string, protocol: "connect" | "grpc") {
  const signer = createSigner(newSeed(), "mch_00000000000000000000");
  const { transport, close } = createSignedTransport({ url, rootFingerprint }, signer, protocol);
  stops.push(close);
  return createClient(MachineService, transport);
}

type Response = Awaited<ReturnType<Parameters<Interceptor>[0]>>;
type Request = Parameters<ReturnType<Interceptor>>[0];

/** Changes what the owners answered. */
function altering(change: (response: Response, request: Request) => void): Interceptor {
  return (next) => async (request) => {
    const response = await next(request);
    if (request.url.includes("MachineService")) change(response, request);
    return response;
  };
}

/** Refuses with these details, and asks nobody. */
function refusing(
  reason: string,
  metadata: Record<string, string>,
  signed?: (request: Request) => SignedAnswer,
) {
  const lie: Interceptor = (next) => async (request) => {
    if (!request.url.includes("MachineService")) return next(request);
    const info = { desc: ErrorInfoSchema, value: { reason, domain: "sallyport", metadata } };
    const answer = signed ? [{ desc: SignedAnswerSchema, value: { ...signed(request) } }] : [];
    throw new ConnectError("it says so", Code.NotFound, undefined, [info, ...answer]);
  };
  return lie;
}

describe.each(["connect", "grpc"] as const)("over %s", (protocol) => {
  const owners = createTestOwners();
  const open = async (lie?: Interceptor) => {
    const { url, asked } = await gateway(() => owners, lie);
    return { machines: machinesAt(url, owners.rootFingerprint, protocol), asked };
  };
  const failureOf = async (
    lie: Interceptor,
    method: "revokeMachine" | "listMachines" = "revokeMachine",
  ) =>
    toSallyportError(await (await open(lie)).machines[method]({}).catch((error: unknown) => error));
  const untrusted = (sentence: RegExp) => ({
    reason: "REPLY_UNTRUSTED",
    message: expect.stringMatching(sentence) as string,
    vouched: undefined,
  });

  test("what an owner signed is believed, and the keyset is asked for once", async () => {
    const { machines, asked } = await open();
    const answers = [
      machines.revokeMachine({}),
      machines.revokeMachine({}),
      machines.revokeMachine({}),
    ];
    for (const { machine } of await Promise.all(answers)) expect(machine?.name).toBe("runner-1");
    expect((await machines.listMachines({})).machines).toHaveLength(1);
    expect(asked.keysets).toBe(1);
  });

  test.each<[string, RegExp, (response: Response, request: Request) => void]>([
    ["not signed", /identity did not sign it/, ({ header }) => header.delete(answerHeader)],
    ["signed twice", /malformed/, ({ header }) => header.append(answerHeader, "x")],
    [
      "altered",
      /not what identity signed/,
      ({ message }) => void Object.assign(message, { machine: undefined }),
    ],
    [
      "signed by another owner",
      /signature of identity does not hold/,
      ({ header }, request) => {
        const outcome = { case: "contentSha256" as const, value: new Uint8Array(32) };
        header.set(answerHeader, headerOf(owners.sign("policy", digestOf(request), outcome)));
      },
    ],
    [
      "an answer to another request",
      /answers another request/,
      ({ header }) => {
        const outcome = { case: "contentSha256" as const, value: new Uint8Array(32) };
        header.set(answerHeader, headerOf(owners.sign("identity", new Uint8Array(32), outcome)));
      },
    ],
    [
      "a refusal turned into a success",
      /identity refused the request/,
      ({ header }, request) => {
        const value = create(RefusalSchema, { reason: Reason.NOT_FOUND });
        const signed = owners.sign("identity", digestOf(request), { case: "refusal", value });
        header.set(answerHeader, headerOf(signed));
      },
    ],
  ])("an answer is not believed that is %s", async (_, sentence, change) => {
    expect(await failureOf(altering(change))).toMatchObject(untrusted(sentence));
  });

  test("a refusal that its owner signed is vouched for", async () => {
    const value = create(RefusalSchema, {
      reason: Reason.NOT_FOUND,
      metadata: { field: "machine_id" },
    });
    const signed = (request: Request) =>
      owners.sign("identity", digestOf(request), { case: "refusal", value });
    const told = { field: "machine_id" };
    expect(await failureOf(refusing("NOT_FOUND", told, signed))).toMatchObject({
      reason: "NOT_FOUND",
      metadata: told,
      vouched: true,
    });
    expect(await failureOf(refusing("LAST_OWNER", told, signed))).toMatchObject(
      untrusted(/not the refusal that identity signed/),
    );
  });

  test.each<[string, RegExp, Interceptor]>([
    ["is not signed", /identity did not sign the refusal NOT_FOUND/, refusing("NOT_FOUND", {})],
    [
      "is of another field than the request's own",
      /did not sign/,
      refusing("FIELD_INVALID", { field: "machine_id" }),
    ],
    [
      "was an answer",
      /identity did not refuse the request/,
      refusing("NOT_FOUND", {}, (request) =>
        owners.sign("identity", digestOf(request), {
          case: "contentSha256",
          value: new Uint8Array(32),
        }),
      ),
    ],
    [
      "another owner signed",
      /signature of identity does not hold/,
      refusing("ROLE_REQUIRED", {}, (request) =>
        owners.sign("audit", digestOf(request), {
          case: "refusal",
          value: create(RefusalSchema, { reason: Reason.ROLE_REQUIRED }),
        }),
      ),
    ],
  ])("a refusal is not believed that %s", async (_, sentence, lie) => {
    expect(await failureOf(lie)).toMatchObject(untrusted(sentence));
  });

  test("a gateway's own refusal of a change is told as its word alone", async () => {
    const lie = refusing("RATE_LIMITED", {});
    expect(await failureOf(lie)).toMatchObject({ reason: "RATE_LIMITED", vouched: false });
    expect(await failureOf(lie, "listMachines")).toMatchObject({
      reason: "RATE_LIMITED",
      vouched: undefined,
    });
  });

  test("a key that is not in the keyset has it asked for once more, and no older one is taken", async () => {
    const root = privateKeyOf(newSeed());
    const [old, next] = [createTestOwners(1, root), createTestOwners(2, root)];
    let current = old;
    const { url, asked } = await gateway(() => current);
    const machines = machinesAt(url, old.rootFingerprint, protocol);
    await machines.listMachines({});
    current = next;
    await machines.listMachines({});
    await machines.listMachines({});
    expect(asked.keysets).toBe(2);
    current = old;
    const failure = toSallyportError(
      await machines.listMachines({}).catch((error: unknown) => error),
    );
    expect(failure).toMatchObject(untrusted(/signature of identity does not hold/));
    expect(asked.keysets).toBe(3);
  });

  test("an answer that names a newer keyset has it fetched, and an older one refused", async () => {
    const root = privateKeyOf(newSeed());
    const world = { named: 1 };
    const old = createTestOwners(1, root, () => world.named);
    const next = createTestOwners(2, root);
    let current = old;
    const { url, asked } = await gateway(() => current);
    const machines = machinesAt(url, old.rootFingerprint, protocol);
    world.named = 2;
    await machines.listMachines({});
    expect(asked.keysets).toBe(1);
    // The gateway keeps the newer keyset back.
    const failure = toSallyportError(
      await machines.listMachines({}).catch((error: unknown) => error),
    );
    expect(failure).toMatchObject(untrusted(/the keyset is older than one already seen/));
    current = next;
    await machines.listMachines({});
    expect(asked.keysets).toBe(3);
  });

  test("nothing is asked of a deployment of another root", async () => {
    const { url, asked } = await gateway(() => createTestOwners());
    const machines = machinesAt(url, owners.rootFingerprint, protocol);
    const failure = toSallyportError(
      await machines.revokeMachine({}).catch((error: unknown) => error),
    );
    expect(failure.reason).toBe("ROOT_CHANGED");
    expect(asked.keysets).toBe(1);
  });
});
