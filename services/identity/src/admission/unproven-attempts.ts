import type { ForwardContext } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { newEvent } from "@sallyport/proto/catalogue";
import { ActorKind } from "@sallyport/proto/gen/sallyport/audit/v1/audit_pb.ts";
import { sourceUnitOf } from "@sallyport/proto/address";
import type { Verdict } from "./proof.ts";
import { originOf, reasonText } from "../audit-fields.ts";

/**
 * What a stranger showed: a token or code, and what he told of himself. Vault and subject only when
 * they exist.
 */
export type Shown = {
  readonly action: "token.refused" | "login_code.refused";
  readonly concerned: { readonly vaultId: string; readonly subjectId: string } | undefined;
  readonly told?: { readonly hostname: string; readonly name: string };
};

/**
 * Puts on record that somebody who proved nothing was turned away: counted by address, failed step,
 * and the token or code that he named if there is one. It costs no transaction, and a flood of it
 * fills no disk.
 */
export function noteUnproven(
  outbox: Pick<Outbox, "note">,
  context: ForwardContext,
  { action, concerned, told }: Shown,
  { reason: refused, step }: Verdict,
  nowMs: number,
): Promise<void> {
  const { vaultId = "", subjectId = "" } = concerned ?? {};
  const reason = reasonText(refused);
  const stranger = { actorKind: ActorKind.UNKNOWN, vaultId, reason };
  return outbox.note({
    // Guesses at what does not exist take no place of attempts on what does.
    group: `${action} ${concerned ? "known" : "unknown"}`,
    kind: [sourceUnitOf(context.sourceIp), step, subjectId].join(" "),
    rest: vaultId,
    record: (count) =>
      newEvent("identity", action, {
        ...stranger,
        ...originOf(context, nowMs),
        subjectId,
        detail: { count: String(count), step, ...told },
      }),
    restRecord: (count) =>
      newEvent("identity", action, { ...stranger, detail: { count: String(count) } }),
  });
}
