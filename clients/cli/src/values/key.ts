/** A secret as it was typed: by its name or id, or by its project and name, as in web/DB_URL. */
export type SecretKey = { readonly project: string | undefined; readonly name: string };

/** Reads how a secret was typed; a name holds no slash. */
export function secretKeyOf(typed: string): SecretKey {
  const at = typed.indexOf("/");
  return at < 0
    ? { project: undefined, name: typed }
    : { project: typed.slice(0, at), name: typed.slice(at + 1) };
}
