import { type Settings, readSettings, wholeNumber } from "@sallyport/config";

/**
 * The limits of a gateway that an operator may change, each with its default and bounds. The table
 * in gateway/README.md explains them; a test compares the two.
 */
export const limitSettings = {
  concurrencyLimit: wholeNumber("SALLYPORT_CONCURRENCY_LIMIT", { default: 128, min: 8, max: 4096 }),
  addressPercent: wholeNumber("SALLYPORT_CONCURRENCY_PERCENT_PER_ADDRESS", percent(50)),
  principalPercent: wholeNumber("SALLYPORT_CONCURRENCY_PERCENT_PER_PRINCIPAL", percent(25)),
  classPercent: wholeNumber("SALLYPORT_CONCURRENCY_PERCENT_PER_CLASS", percent(75)),
  contentMemoryMib: wholeNumber("SALLYPORT_CONTENT_MEMORY_MIB", {
    default: 256,
    min: 16,
    max: 65_536,
  }),
  connectionsPerAddress: wholeNumber("SALLYPORT_CONNECTIONS_PER_ADDRESS", amount(1024)),
  newConnectionsPerAddress: wholeNumber("SALLYPORT_NEW_CONNECTIONS_PER_ADDRESS", amount(256)),
  openRequestsPerAddress: wholeNumber("SALLYPORT_OPEN_REQUESTS_PER_ADDRESS", amount(1024)),
  requestsPerAddress: wholeNumber("SALLYPORT_REQUEST_RATE_PER_ADDRESS", amount(2000)),
  newKeysPerAddress: wholeNumber("SALLYPORT_NEW_KEY_RATE_PER_ADDRESS", amount(30)),
  keyLookupsPerAddress: wholeNumber("SALLYPORT_KEY_LOOKUP_RATE_PER_ADDRESS", amount(30)),
  readsPerPrincipal: wholeNumber("SALLYPORT_READ_RATE_PER_PRINCIPAL", amount(500)),
  managesPerPrincipal: wholeNumber("SALLYPORT_MANAGE_RATE_PER_PRINCIPAL", amount(100)),
};

/** The values of the limits. */
export type Limits = Settings<typeof limitSettings>;

/** The limits of a gateway whose operator sets none. */
export const defaultLimits: Limits = readSettings({}, limitSettings);

function percent(byDefault: number) {
  return { default: byDefault, min: 5, max: 100 };
}

function amount(byDefault: number) {
  return { default: byDefault, min: 1, max: 1_000_000 };
}
