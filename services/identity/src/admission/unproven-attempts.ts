import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { sourceUnitOf } from "@sallyport/proto/address";
import type { Verdict } from "./proof.ts";
import { originOf, reasonText } from "../audit-fields.ts";

/**
 * An unproven attempt: the token or code that it names, and the names that it claims. Vault and
 * subject only when they exist.
 */
export type Shown = {
  readonly action: "token.refused" | "login_code.refused";
  readonly concerned: { readonly vaultId: string; readonly subjectId: string } | undefined;
  readonly claimed?: { readonly hostname: string; readonly name: string };
};

/**
 * Records a refused attempt without a valid proof: counted by address, failed step, and the token
 * or code that it names if there is one. It costs no transaction, and a flood of it fills no disk.
 */
export function noteUnproven(
  outbox: Pick<Outbox, "note">,
  context: ForwardContext,
  { action, concerned, claimed }: Shown,
  { reason: refused, step }: Verdict,
  nowMs: number,
): Promise<void> {
  const { vaultId = "", subjectId = "" } = concerned ?? {};
  const reason = reasonText(refused);
  const unproven = { actorKind: ActorKind.UNKNOWN, vaultId, reason };
  return outbox.note({
    // Guesses at what does not exist take no room from attempts on what does.
    group: `${action} ${concerned ? "known" : "unknown"}`,
    kind: [sourceUnitOf(context.sourceIp), step, subjectId].join(" "),
    rest: vaultId,
    record: (count) =>
      newEvent("identity", action, {
        ...unproven,
        ...originOf(context, nowMs),
        subjectId,
        detail: { count: String(count), step, ...claimed },
      }),
    restRecord: (count) =>
      newEvent("identity", action, { ...unproven, detail: { count: String(count) } }),
  });
}
