import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Database } from "@sallyport/postgres";
import type { KeyService } from "@sallyport/proto/gen/sallyport/identity/internal/v1/key_pb.ts";
import { storeSightings } from "./sighting-store.ts";

/** The dependencies of keeping sightings. */
export type SightingParts = {
  readonly database: Pick<Database, "query">;
  readonly clock: () => number;
};

/** Makes ReportSightings. */
export function createReportSightings({
  database,
  clock,
}: SightingParts): ServiceImpl<typeof KeyService>["reportSightings"] {
  return async ({ sightings }) => {
    const seen = sightings.flatMap(({ keyId, seenAt, sourceIp, client }) =>
      seenAt ? [{ keyId, seenAt: timestampDate(seenAt), sourceIp, client }] : [],
    );
    await storeSightings(database, seen, new Date(clock()));
    return {};
  };
}
