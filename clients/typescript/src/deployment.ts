import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { GetKeysetResponse } from "@sallyport/proto/gen/sallyport/gateway/v1/read_pb.ts";
import { type TrustedKeys, verifyKeyset } from "./keyset.ts";

/** The deployment as a client knows it: its keys, verified against the pinned root and never exchanged for older ones. */
export type Deployment = {
  /** The keys in hand, fetched at first and when they are past their time. */
  trustedKeys(): Promise<TrustedKeys>;
  /** The keys anew, where those in hand are not enough; those who ask at once share one request. */
  newerKeys(): Promise<TrustedKeys>;
  /** The keys anew, and the gateway's clock in ms; undefined when it did not say. */
  check(): Promise<{ readonly keys: TrustedKeys; readonly serverTimeMs: number | undefined }>;
};

/** Makes one that asks for the keyset by `ask`. */
export function createDeployment(ask: () => Promise<GetKeysetResponse>, rootFingerprint: string): Deployment {
  let keyset: TrustedKeys | undefined;
  let asking: Promise<TrustedKeys> | undefined;

  const check: Deployment["check"] = async () => {
    const answer = await ask();
    keyset = verifyKeyset(answer.keyset, rootFingerprint, Date.now(), keyset?.epoch);
    return { keys: keyset, serverTimeMs: answer.serverTime && timestampMs(answer.serverTime) };
  };
  const newerKeys: Deployment["newerKeys"] = () => {
    asking ??= check()
      .then(({ keys }) => keys)
      .finally(() => (asking = undefined));
    return asking;
  };
  return {
    check,
    newerKeys,
    trustedKeys: async () => (keyset && Date.now() < keyset.notAfterMs ? keyset : newerKeys()),
  };
}
