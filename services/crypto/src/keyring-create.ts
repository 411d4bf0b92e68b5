import { holdCeremony } from "./ceremony.ts";
import { readCeremonyConfig } from "./config.ts";

console.log(JSON.stringify(await holdCeremony(readCeremonyConfig(process.env))));
