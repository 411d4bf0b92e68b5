import { type Interceptor, createClient, createRouterTransport } from "@connectrpc/connect";
import {
  type OpenItem,
  type OpenResult,
  OpenService,
  type OpenedRequest,
} from "@sallyport/proto/gen/sallyport/crypto/internal/v1/open_pb.ts";
import { SealService } from "@sallyport/proto/gen/sallyport/crypto/internal/v1/seal_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { failureOf, toConnectError } from "@sallyport/rpc";
import { createLogger } from "@sallyport/telemetry";
import { createSealingKey } from "../hpke.ts";
import { createFileKek, type KekProvider } from "@sallyport/proto/keyring";
import { createProjectKeyCache } from "../project-key-cache.ts";
import { createOpenService } from "../rpc/open.ts";
import { createSealService } from "../rpc/seal.ts";
import type { AuditContract } from "./audit-contract.ts";
import { type TestDeployment, nowMs, publicName } from "./deployment.ts";

/**
 * Starts crypto's services in memory, with the deployment's keys, or the KEK of a KMS. Give several
 * the same audit to have replicas.
 */
export async function startReplica(
  { trust, keyring, kek: kekBytes }: TestDeployment,
  { audit }: AuditContract,
  kek: KekProvider = createFileKek(kekBytes),
) {
  const logged: string[] = [];
  const logger = createLogger({
    service: "crypto",
    level: "trace",
    stream: { write: (line) => void logged.push(line) },
  });
  const projectKeys = createProjectKeyCache(kek);
  const [reply, sealing] = [keyring.reply[0], keyring.sealing[0]];
  if (!reply || !sealing) throw new Error("the deployment has no keys");
  const verifier = { trust, authorities: [publicName], windowSeconds: 60, clock: () => nowMs };
  const reading = { ...verifier, permitKeys: () => keyring.permit, slipKeys: () => keyring.slip };
  const sealingKeys = new Map([[sealing.keyId, await createSealingKey(sealing.key)]]);
  const thrown: unknown[] = [];
  const boundary: Interceptor = (next) => async (request) => {
    try {
      return await next(request);
    } catch (error) {
      thrown.push(error);
      throw toConnectError(failureOf(error), newId("req"));
    }
  };
  const transport = createRouterTransport(
    ({ service }) => {
      service(
        OpenService,
        createOpenService({
          verifier: reading,
          projectKeys,
          replyKey: () => reply,
          keysetEpoch: () => 1,
          audit,
          logger,
        }),
      );
      service(
        SealService,
        createSealService({ verifier, kek, projectKeys, sealingKeys: () => sealingKeys }),
      );
    },
    { router: { interceptors: [boundary] } },
  );
  const open = createClient(OpenService, transport);
  return {
    open: async (...items: OpenItem[]): Promise<OpenResult[]> =>
      (await open.open({ items })).results,
    seal: createClient(SealService, transport),
    /** Everything that a handler threw so far. */
    thrown,
    /** Every line logged so far. */
    logged: (): string => logged.join(""),
  };
}

/** What a result says in one line: "opened", or the reason with its step. */
export function verdictOf(result: OpenResult | undefined): string {
  if (result?.outcome.case === "opened") return "opened";
  if (result?.outcome.case !== "refusal") return "nothing";
  const { reason, metadata } = result.outcome.value;
  const name = Object.entries(Reason).find(([, value]) => value === reason)?.[0] ?? "";
  return [name, ...Object.values(metadata)].join(" ");
}

/** The opened request of a result; throws when it was refused. */
export function openedOf(result: OpenResult | undefined): OpenedRequest {
  if (result?.outcome.case !== "opened") throw new Error(`refused: ${verdictOf(result)}`);
  return result.outcome.value;
}
