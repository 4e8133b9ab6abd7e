// The smallest lock file that Pyodide accepts: nothing is looked up anywhere, so nothing is fetched from elsewhere.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pyodideDir } from "./paths.mjs";

const stock = JSON.parse(readFileSync(join(pyodideDir, "pyodide-lock.json"), "utf8"));
export const lock = { info: stock.info, packages: {} };
export const pyodideVersion = JSON.parse(readFileSync(join(pyodideDir, "package.json"), "utf8")).version;
