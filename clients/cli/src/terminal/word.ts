/**
 * A name for a command that is shown to be copied into a shell, or what stands for one.
 *
 * Security: names come from a server. One that is more than a word, or that would be read as an
 * option, is left out.
 */
export function wordOr(name: string, placeholder: string): string {
  return /^[A-Za-z0-9@._+][A-Za-z0-9@._+-]*$/.test(name) ? name : placeholder;
}
