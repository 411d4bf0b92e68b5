import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { LoginCodeSchema } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { roleOf } from "../users/roles.ts";
import type { LoginCode } from "./store.ts";

/** A login code as its vault's people see it. */
export function describeLoginCode(code: LoginCode): MessageInitShape<typeof LoginCodeSchema> {
  return {
    codeId: code.codeId,
    role: roleOf(code.role),
    userId: code.userId ?? "",
    createdBy: code.createdBy ?? "",
    createdByName: code.createdByName ?? "",
    createdAt: timestampFromDate(code.createdAt),
    expiresAt: timestampFromDate(code.expiresAt),
    redeemedBy: code.redeemedBy ?? "",
    ...(code.revokedAt ? { revokedAt: timestampFromDate(code.revokedAt) } : {}),
    ...(code.redeemedAt ? { redeemedAt: timestampFromDate(code.redeemedAt) } : {}),
  };
}
