/**
 * What tests made of a mutant: noticed it, or by taking for ever; did not notice; did not reach.
 */
export type Outcome = "killed" | "timeout" | "survived" | "uncovered";

/**
 * What the test process tells, a line of JSON each: what it begins, what it found, and a test file
 * that fails unmutated.
 */
export type Line =
  | { readonly started: string }
  | { readonly id: string; readonly outcome: Outcome; readonly by: string }
  | { readonly broken: string; readonly why: string };
