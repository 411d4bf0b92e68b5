import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Principal } from "@sallyport/evidence";
import type { ForwardContext, ForwardHandlers } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import { isUniqueViolation } from "@sallyport/postgres";
import { newEvent } from "@sallyport/proto/catalogue";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import type { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { newId } from "@sallyport/proto/ids";
import { fail } from "@sallyport/rpc";
import { describeLoginCode } from "./views.ts";
import { lifetimeMs } from "../lifetime.ts";
import { holdSigner } from "../users/acting-owner.ts";
import { actorOf, originOf } from "../audit-fields.ts";
import { type LoginCode, insertLoginCode } from "./store.ts";
import { type StoredRole, storedRoleOf } from "../users/roles.ts";

/** The dependencies of making login codes. */
export type CreateLoginCodeParts = {
  readonly outbox: Pick<Outbox, "record">;
  readonly clock: () => number;
};

type Handlers = Pick<ForwardHandlers<typeof UserService>, "createLoginCode" | "createDeviceCode">;

/** The device that a code admits: that of a new user with that role, or a further one of a user. */
type Guest = { readonly role: StoredRole; readonly userId: string | null };

/** Makes CreateLoginCode and CreateDeviceCode. */
export function createLoginCodeMakers(parts: CreateLoginCodeParts): Handlers {
  return {
    async createLoginCode(context, { codeKeySha256, role, lifetime }) {
      const guest = { role: storedRoleOf(role), userId: null };
      return { loginCode: await make(parts, context, codeKeySha256, lifetime, () => guest) };
    },
    async createDeviceCode(context, { codeKeySha256, lifetime }) {
      const guestOf = ({ id, role }: Principal) => ({ role: storedRoleOf(role), userId: id });
      return { loginCode: await make(parts, context, codeKeySha256, lifetime, guestOf) };
    },
  };
}

async function make(
  { outbox, clock }: CreateLoginCodeParts,
  context: ForwardContext,
  keySha256: Uint8Array,
  lifetime: Duration | undefined,
  guestOf: (signer: Principal) => Guest,
) {
  const nowMs = clock();
  const times = {
    createdAt: new Date(nowMs),
    expiresAt: new Date(nowMs + lifetimeMs("lifetime", lifetime)),
  };
  const code = await context
    .mutate(async (tx) => {
      const signer = await holdSigner(tx, context);
      const { id: createdBy, keyId: createdByKey, vaultId } = signer;
      const maker = { createdBy, createdByKey };
      const made = {
        codeId: newId("tok"),
        vaultId,
        keySha256,
        ...maker,
        ...guestOf(signer),
        ...times,
      };
      const stored = await insertLoginCode(tx, made);
      await outbox.record(tx, created(stored, context, nowMs));
      return stored;
    })
    .catch((error: unknown) => {
      if (!isUniqueViolation(error, "login_codes_key")) throw error;
      throw fail(Reason.ALREADY_EXISTS, { field: "code_key_sha256" }, error);
    });
  return describeLoginCode(code);
}

function created(
  { codeId, vaultId, role, userId, expiresAt }: LoginCode,
  context: ForwardContext,
  nowMs: number,
) {
  return newEvent("identity", "login_code.created", {
    ...actorOf(context),
    ...originOf(context, nowMs),
    vaultId,
    subjectId: codeId,
    detail: {
      role,
      expires_at: expiresAt.toISOString(),
      ...(userId === null ? {} : { user_id: userId }),
    },
  });
}
