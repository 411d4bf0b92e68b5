import { sha256 } from "#sha256";
import { serializeItem } from "structured-headers";
import { FormatError } from "./format-error.ts";
import { LABELS, labelled } from "./labels.ts";

/**
 * The parts of a request that its signature covers: the five components and the parameters as they
 * stand in Signature-Input.
 */
export type CoveredComponents = {
  readonly method: string;
  /** Normalised (normaliseAuthority). */
  readonly authority: string;
  /** Origin form, without a query. */
  readonly path: string;
  readonly contentType: string;
  readonly contentDigest: string;
  /** The value of the member `sp` of Signature-Input. */
  readonly signatureParams: string;
};

const printable = /^[\x20-\x7e]*$/;

/**
 * Builds a signature base of any components (RFC 9421 §2.5): a line for each, then the parameters,
 * without a final newline. Throws FormatError when a value could break out of its line.
 */
export function baseOf(
  components: readonly (readonly [name: string, value: string])[],
  params: string,
): Uint8Array<ArrayBuffer> {
  const lines = [...components, ["@signature-params", params] as const].map(([name, value]) => {
    if (!printable.test(name) || !printable.test(value))
      throw new FormatError("a component is not printable ASCII");
    return `${serializeItem(name)}: ${value}`;
  });
  return new TextEncoder().encode(lines.join("\n"));
}

/**
 * Builds the signature base of the profile sallyport-v1: the bytes that the Ed25519 key signs
 * (SIGNING §4). Throws FormatError.
 */
export function signatureBase(covered: CoveredComponents): Uint8Array<ArrayBuffer> {
  const components = [
    ["@method", covered.method],
    ["@authority", covered.authority],
    ["@path", covered.path],
    ["content-type", covered.contentType],
    ["content-digest", covered.contentDigest],
  ] as const;
  return baseOf(components, covered.signatureParams);
}

/** The request digest, 32 bytes: SHA-256 of the labelled signature base (SIGNING §6). */
export function requestDigest(base: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(labelled(LABELS.request, base));
}
