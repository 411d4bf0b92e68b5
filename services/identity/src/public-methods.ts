import { type ForwardMethods, forwardMethods } from "@sallyport/forward";
import type { Outbox } from "@sallyport/outbox";
import type { Database } from "@sallyport/postgres";
import { EnrollmentService } from "@sallyport/proto/gen/sallyport/identity/v1/enrollment_pb.ts";
import { MachineService } from "@sallyport/proto/gen/sallyport/identity/v1/machine_pb.ts";
import { UserService } from "@sallyport/proto/gen/sallyport/identity/v1/user_pb.ts";
import { VaultService } from "@sallyport/proto/gen/sallyport/identity/v1/vault_pb.ts";
import { type Rate, createBuckets } from "@sallyport/rate-limit";
import { createHolderReports } from "./admission/holder-reports.ts";
import type { PolicyScope } from "./policy.ts";
import { createLoginCodeMakers } from "./login-codes/create.ts";
import { createTokenHandler } from "./tokens/create.ts";
import { createVaultHandler } from "./vaults/create.ts";
import { createEnrollHandler } from "./enroll/handler.ts";
import { createGetVault } from "./vaults/get.ts";
import { createLoginCodeHandlers } from "./login-codes/read.ts";
import { createStandingHandlers } from "./machines/standing.ts";
import { createMachineHandlers } from "./machines/read.ts";
import { createRedeemLoginCode } from "./login-codes/redeem.ts";
import { createRemoveUser } from "./users/remove.ts";
import { createRenameMachine } from "./machines/rename.ts";
import { createRenewDevice } from "./devices/renew.ts";
import { createRevokeDevice } from "./devices/revoke.ts";
import { createRevokeToken } from "./tokens/revoke.ts";
import { createSignOut } from "./devices/sign-out.ts";
import { createTokenReadHandlers } from "./tokens/read.ts";
import { createUserHandlers } from "./users/read.ts";
import { createWhoAmI } from "./users/whoami.ts";

/** The dependencies of the public methods; the clock is in Unix milliseconds. */
export type ServiceParts = {
  readonly database: Pick<Database, "query" | "transaction">;
  readonly outbox: Pick<Outbox, "record" | "drain" | "ready" | "note">;
  readonly policy: PolicyScope;
  /** The most living machines that a vault may have. */
  readonly machineCap: number;
  readonly clock: () => number;
  /** Monotonic milliseconds; the process's own unless a test gives another. */
  readonly steadyClock?: () => number;
};

/**
 * The rate of records that a token's machines may cause by being made: a burst of 25,000, 150,000
 * per day (LOG.md §7).
 */
const enrollmentRate: Rate = { perSecond: 150_000 / 86_400, burst: 25_000 };

/** Every public method that identity owns, for the forwarder. */
export function publicMethods(given: ServiceParts): ForwardMethods[] {
  const { steadyClock = () => performance.now() } = given;
  const holders = createHolderReports(given.outbox, steadyClock);
  const enrollments = createBuckets(enrollmentRate, steadyClock);
  const parts = { ...given, holders, enrollments };
  return [
    forwardMethods(EnrollmentService, {
      enroll: createEnrollHandler(parts),
      createToken: createTokenHandler(parts),
      revokeToken: createRevokeToken(parts),
      ...createTokenReadHandlers(parts),
    }),
    forwardMethods(MachineService, {
      renameMachine: createRenameMachine(parts),
      ...createMachineHandlers(parts),
      ...createStandingHandlers(parts),
    }),
    forwardMethods(UserService, {
      redeemLoginCode: createRedeemLoginCode(parts),
      whoAmI: createWhoAmI(parts),
      signOut: createSignOut(parts),
      renewDevice: createRenewDevice(parts),
      revokeDevice: createRevokeDevice(parts),
      removeUser: createRemoveUser(parts),
      ...createUserHandlers(parts),
      ...createLoginCodeMakers(parts),
      ...createLoginCodeHandlers(parts),
    }),
    forwardMethods(VaultService, {
      getVault: createGetVault(parts),
      createVault: createVaultHandler(parts),
    }),
  ];
}
