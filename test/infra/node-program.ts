import { nodeProgram } from "@sallyport/deploy/local/system-program";

// What a test starts by this name also runs where Node's library was unpacked and not installed.
process.execPath = nodeProgram;
