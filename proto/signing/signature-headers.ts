import {
  type Dictionary,
  type InnerList,
  isInnerList,
  parseDictionary,
  serializeDictionary,
} from "structured-headers";
import { FormatError } from "./format-error.ts";
import {
  type SignatureParameters,
  checkParameters,
  coveredComponents,
  signatureLabel,
} from "./signature-params.ts";

/**
 * The parameters of a Signature-Input header; `signatureParams` is the member's value as received,
 * for the base.
 */
export type ParsedSignatureInput = SignatureParameters & { readonly signatureParams: string };

const parameterNames = ["alg", "created", "keyid", "nonce", "tag"];
const signatureBytes = 64;

/**
 * Reads a Signature-Input header: one member `sp`, the exact components in their order, the exact
 * parameters in any order, equal to its own re-serialisation (SIGNING §3). Throws FormatError.
 */
export function parseSignatureInput(header: string): ParsedSignatureInput {
  const member = onlyMember(header);
  if (!isInnerList(member))
    throw new FormatError("the signature input is not a list of components");
  checkComponents(member);
  const parameters = parametersOf(member);
  checkParameters(parameters);
  return { ...parameters, signatureParams: header.slice(signatureLabel.length + 1) };
}

/**
 * Reads a Signature header: one member `sp`, 64 bytes, equal to its own re-serialisation (SIGNING
 * §3). Throws FormatError.
 */
export function parseSignature(header: string): Uint8Array<ArrayBuffer> {
  const [value, parameters] = onlyMember(header);
  const isSignature = value instanceof ArrayBuffer && value.byteLength === signatureBytes;
  if (!isSignature || !(parameters instanceof Map) || parameters.size > 0) {
    throw new FormatError("the signature is not 64 bytes");
  }
  return new Uint8Array(value);
}

function onlyMember(header: string): NonNullable<ReturnType<Dictionary["get"]>> {
  const dictionary = parsed(header);
  const member = dictionary.get(signatureLabel);
  if (member === undefined || dictionary.size !== 1)
    throw new FormatError("exactly one member sp is needed");
  // The parser keeps the last of duplicates and accepts several encodings of one value: only the
  // canonical one is accepted here.
  if (serializeDictionary(dictionary) !== header)
    throw new FormatError("the header is not in its canonical form");
  return member;
}

function parsed(header: string): Dictionary {
  try {
    return parseDictionary(header);
  } catch {
    throw new FormatError("the header is not a structured dictionary");
  }
}

function checkComponents([items]: InnerList): void {
  const exact =
    items.length === coveredComponents.length &&
    items.every(([name], index) => name === coveredComponents[index]);
  const bare = items.every(([, parameters]) => parameters.size === 0);
  if (!exact || !bare) throw new FormatError("the covered components are not the profile's");
}

function parametersOf([, parameters]: InnerList): SignatureParameters {
  const names = [...parameters.keys()].sort();
  if (names.join() !== parameterNames.join())
    throw new FormatError("the signature parameters are not the profile's");
  const valueOf = (name: string): unknown => parameters.get(name);
  const [created, nonce, keyId] = [valueOf("created"), valueOf("nonce"), valueOf("keyid")];
  if (typeof created !== "number" || typeof nonce !== "string" || typeof keyId !== "string") {
    throw new FormatError("a signature parameter has another type");
  }
  if (parameters.get("alg") !== "ed25519") throw new FormatError("the algorithm is not ed25519");
  if (parameters.get("tag") !== "sallyport-v1")
    throw new FormatError("the tag is not sallyport-v1");
  return { created, nonce, keyId };
}
