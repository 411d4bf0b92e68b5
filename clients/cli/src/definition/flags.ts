import type { Argument, Option } from "./options.ts";

/**
 * The flag of an option: `allowDangerousNames` is --allow-dangerous-names, one that takes away is
 * --no-NAME.
 */
export function flagOf(key: string, option: Option<unknown>): string {
  const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return option.kind === "unless" ? `--no-${name}` : `--${name}`;
}

/** The declaration of an option for the parser, with its value. */
export function declarationOf(key: string, option: Option<unknown>): string {
  const short = option.short === undefined ? "" : `${option.short}, `;
  const takesValue = option.kind === "value" || option.kind === "list";
  const name = option.value ?? "text";
  const value = option.bare === undefined ? ` <${name}>` : ` [${name}]`;
  return `${short}${flagOf(key, option)}${takesValue ? value : ""}`;
}

/** The declaration of an argument for the parser. */
export function argumentDeclarationOf(key: string, argument: Argument<unknown>): string {
  const name = argument.value ?? key;
  const declarations = {
    required: `<${name}>`,
    optional: `[${name}]`,
    several: `<${name}...>`,
    any: `[${name}...]`,
    rest: `<${name}...>`,
  };
  return declarations[argument.kind];
}
