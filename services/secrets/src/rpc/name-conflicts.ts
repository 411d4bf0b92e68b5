import { isUniqueViolation } from "@sallyport/postgres";
import { Reason } from "@sallyport/proto/gen/sallyport/errors/v1/reason_pb.ts";
import { fail } from "@sallyport/rpc";

/**
 * ALREADY_EXISTS: another project of the vault, or secret of the project, bears the name and lives.
 */
export function nameTaken(): Error {
  return fail(Reason.ALREADY_EXISTS, { field: "name" });
}

/** Stores what bears a name; throws nameTaken when the database says that it is taken. */
export async function orNameTaken(store: () => Promise<void>): Promise<void> {
  try {
    await store();
  } catch (error) {
    const taken = ["projects_name", "secrets_name"].some((index) =>
      isUniqueViolation(error, index),
    );
    throw taken ? nameTaken() : error;
  }
}
