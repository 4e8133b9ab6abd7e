// Bundles what browser tests use and pages do not, into the folder named: store.js, bridge.js.
import { join } from "node:path";
import { bundle } from "./build.mjs";

const folder = process.argv[2] ?? "build/test-tools";
await bundle("browser/src/store/index.ts", join(folder, "store.js"));
await bundle("browser/src/store/bridge.ts", join(folder, "bridge.js"));
