import { text } from "../definition/options.ts";
import { UsageError } from "../app/failure.ts";
import { oneProject } from "../find/lookup.ts";
import { secretKeyOf } from "./key.ts";

/** The form of the name of a secret to store, for help. */
export const nameRule =
  "letters, digits and _ . -, 128 at most, none of . - first; project/NAME says its project";

/** The option that says into which project a secret is stored. */
export const intoProject = {
  project: text("its project, by name or id; needed unless it stands before the name", {
    value: "project",
    complete: "projects",
  }),
};

const nameForm = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** The project and name of a secret to store, as typed and by --project. Throws UsageError. */
export function targetOf(
  typed: string,
  project: string | undefined,
): { project: string; name: string } {
  const { project: prefix, name } = secretKeyOf(typed);
  const within = oneProject(prefix, project);
  if (!nameForm.test(name))
    // The input is not repeated in the error: it may be the value.
    throw new UsageError("that cannot be the name of a secret", `use ${nameRule}`);
  if (within !== undefined) return { project: within, name };
  throw new UsageError("no project is named", `name it with --project, or as PROJECT/${name}`);
}
