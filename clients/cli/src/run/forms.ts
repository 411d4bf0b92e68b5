import { hexForms, htmlForms, pythonForms, shellForms } from "./quoting.ts";

/** Values shorter than this are not filtered: half of every output would be. */
export const shortestFiltered = 4;

// Longer forms are looked for in pieces, so that no more than this is held back.
const longestPiece = 128;

/** The number of code points of a text. */
export function charactersOf(text: string): number {
  return Array.from(text).length;
}

/**
 * The forms in which a value is found, in words, for help: what is written in any other way passes.
 */
export const knownForms =
  "as it is, in base64, hexadecimal and URL form, escaped for JSON and HTML, quoted by a shell " +
  "(bash -x, printf %q) and by Python";

/**
 * Every form in which a value is looked for in output (`knownForms`); base64 also within a longer
 * text, and wrapped. A value of several lines is looked for line by line, since programs print it
 * so. Forms of fewer than 4 characters are left out.
 */
export function formsOf(plaintext: string): Uint8Array[] {
  const lines = plaintext.split(/\r\n|\r|\n/);
  const texts = lines.length === 1 ? [plaintext] : lines;
  const long = texts.filter((text) => charactersOf(text) >= shortestFiltered);
  const forms = new Set<string>();
  for (const text of long) for (const form of [text, ...escapedForms(text)]) forms.add(form);
  if (charactersOf(plaintext) >= shortestFiltered) {
    const whole = [...base64Forms(plaintext), ...escapedForms(plaintext)];
    for (const form of whole) if (!/[\r\n]/.test(form)) forms.add(form);
  }
  return [...forms]
    .filter((form) => form.length >= shortestFiltered)
    .flatMap((form) => piecesOf(Buffer.from(form, "utf8")));
}

function escapedForms(text: string): string[] {
  return [
    ...urlForms(text),
    ...jsonForms(text),
    ...hexForms(text),
    ...htmlForms(text),
    ...shellForms(text),
    ...pythonForms(text),
  ];
}

function urlForms(text: string): string[] {
  const component = encodeURIComponent(text);
  const strict = component.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  const upper = [component, strict, strict.replaceAll("%20", "+"), encodeURI(text)];
  return [
    ...upper,
    ...upper.map((form) => form.replaceAll(/%[0-9A-F]{2}/g, (hex) => hex.toLowerCase())),
  ];
}

function jsonForms(text: string): string[] {
  const inner = JSON.stringify(text).slice(1, -1);
  const ascii = inner.replaceAll(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const plain = [inner, ascii];
  return [...plain, ...plain.map((form) => form.replaceAll("/", String.raw`\/`))];
}

/**
 * Base64 depends on where in a longer text a value begins: in each of the three positions these are
 * the characters that the value alone decides. So `user:value` in a header and a value with a line
 * break behind it are found too.
 */
function base64Forms(text: string): string[] {
  const bytes = Buffer.from(text, "utf8");
  const forms = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64");
    return encoded.slice(
      Math.ceil((before * 8) / 6),
      Math.floor(((before + bytes.length) * 8) / 6),
    );
  });
  const wrapped = [76, 64].flatMap(
    (width) => forms[0]?.match(new RegExp(`.{1,${width}}`, "g")) ?? [],
  );
  const all = [...forms, ...wrapped];
  return [...all, ...all.map((form) => form.replaceAll("+", "-").replaceAll("/", "_"))];
}

function piecesOf(form: Uint8Array): Uint8Array[] {
  if (form.length <= longestPiece) return [form];
  const count = Math.ceil(form.length / longestPiece);
  const size = Math.ceil(form.length / count);
  return Array.from({ length: count }, (_, index) =>
    form.subarray(index * size, (index + 1) * size),
  );
}
