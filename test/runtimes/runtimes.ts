import { X509Certificate, createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { chromium } from "playwright-core";
import {
  type Prepared,
  isOutOfReach,
  missing,
  mustRun,
  programOf,
  run,
} from "../interop/foreign-program.ts";
import { cache, preparedOnce } from "../interop/prepared-once.ts";

/** A gateway as a program in a runtime reaches it, and the file of the CA to trust. */
export type Reached = { readonly url: string; readonly caFile: string };

/** A JavaScript runtime that is not Node. */
export type Runtime = {
  readonly name: string;
  readonly prepared: Prepared;
  /** Runs `runCore` of a bundled module with an input, and returns what it returns. */
  readonly run: (code: string, input: object, reached: Reached) => Promise<unknown>;
};

const manifests = join(import.meta.dirname, "installed");
const browsers = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
// As root it has no sandbox to run in, and a container has little shared memory.
const flags = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic"];

/** Chromium, Deno and Bun, each as far as it is here. */
export async function findRuntimes(): Promise<readonly Runtime[]> {
  return [
    { name: "Chromium", prepared: findBrowser(), run: runInBrowser },
    await installed("Deno", "deno", ({ url, caFile }, main) => [
      "run",
      "--no-config",
      `--cert=${caFile}`,
      `--allow-net=${new URL(url).host}`,
      main,
    ]),
    await installed("Bun", "bun", (_, main) => ["run", main]),
  ];
}

function findBrowser(): Prepared {
  const found = browsers.find((path) => existsSync(path));
  return found === undefined
    ? missing("there is no Chromium: install the package chromium of the distribution")
    : { kind: "ready", program: { command: found, args: flags, env: {} } };
}

/**
 * Runs it in a page of the gateway's own origin, which is made up here, so that no other origin has
 * to be allowed there. The gateway's certificate is known by its key alone, as a private CA's.
 */
async function runInBrowser(code: string, input: object, { url }: Reached): Promise<unknown> {
  const { command, args } = programOf(findBrowser());
  const pin = `--ignore-certificate-errors-spki-list=${await keyPinOf(url)}`;
  const browser = await chromium.launch({ executablePath: command, args: [...args, pin] });
  try {
    const page = await browser.newPage();
    await page.route(`${url}/`, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>core</title>" }),
    );
    await page.route(`${url}/core.js`, (route) =>
      route.fulfill({ contentType: "text/javascript", body: code }),
    );
    await page.goto(`${url}/`);
    const module = JSON.stringify(`${url}/core.js`);
    const call = `import(${module}).then(({ runCore }) => runCore(${JSON.stringify(input)}))`;
    return await page.evaluate(call);
  } finally {
    await browser.close();
  }
}

function keyPinOf(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  return new Promise((resolve, reject) => {
    // Security: it only reads the key of the deployment that this test started itself.
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      const { raw } = socket.getPeerCertificate();
      const key = new X509Certificate(raw).publicKey.export({ format: "der", type: "spki" });
      resolve(createHash("sha256").update(key).digest("base64"));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

async function installed(
  name: string,
  program: string,
  argsOf: (reached: Reached, main: string) => readonly string[],
): Promise<Runtime> {
  const prepared = await preparedOnce("runtimes", install);
  return {
    name,
    prepared,
    async run(code, input, reached) {
      const { command: folder } = programOf(prepared);
      const dir = mkdtempSync(join(tmpdir(), "sallyport-runtime-"));
      try {
        const main = join(dir, "main.mjs");
        writeFileSync(join(dir, "core.mjs"), code);
        writeFileSync(
          main,
          `import { runCore } from "./core.mjs";\n` +
            `console.log(JSON.stringify(await runCore(${JSON.stringify(input)})));\n`,
        );
        const bin = join(folder, "node_modules", ".bin", program);
        const env = { NODE_EXTRA_CA_CERTS: reached.caFile };
        return JSON.parse(await mustRun(bin, argsOf(reached, main), { env })) as unknown;
      } finally {
        rmSync(dir, { recursive: true });
      }
    },
  };
}

// Beside the workspace, whose users need neither: by its own lock file, once for all runs.
async function install(): Promise<Prepared> {
  const folder = join(cache, "runtimes");
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(manifests, "manifest.json"), join(folder, "package.json"));
  copyFileSync(join(manifests, "lock.json"), join(folder, "package-lock.json"));
  const done = await run("npm", ["ci", "--no-audit", "--no-fund", "--prefer-offline"], {
    cwd: folder,
  });
  if (done.code === 0) return { kind: "ready", program: { command: folder, args: [], env: {} } };
  return missing(isOutOfReach(done) ? "no package registry is reached" : done.stderr);
}
