import { text } from "../definition/options.ts";

/** The option that says in which project a secret's name is meant. */
export const ofProject = {
  project: text("its project, when the name is in several", {
    value: "project",
    complete: "projects",
  }),
};
