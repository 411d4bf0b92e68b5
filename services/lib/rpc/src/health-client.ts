import { type Transport, createClient } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@sallyport/proto/gen/grpc/health/v1/health_pb.ts";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "./failure.ts";
import { failureOf } from "./translate.ts";

/**
 * Resolves when the peer says that it serves: "live", "ready" or "dependency:<name>". Throws
 * Failure DEPENDENCY_UNAVAILABLE otherwise. As a dependency of another process ask for "live":
 * readiness that waits for readiness can deadlock.
 */
export async function checkHealth(transport: Transport, service: string): Promise<void> {
  const { status } = await createClient(Health, transport)
    .check({ service })
    .catch((error: unknown) => {
      throw failureOf(error);
    });
  if (status !== Status.SERVING) throw fail(Reason.DEPENDENCY_UNAVAILABLE);
}
