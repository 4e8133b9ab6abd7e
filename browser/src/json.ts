/**
 * JSON texts as the codec means them. `JSON.parse` alone does not keep the order in which containers are written, which
 * `$ref` counts (objects in JavaScript list keys that look like integers first), nor the digits of integers past 2^53.
 */

import { randomName } from "./random.js";

/** Where a container stands: in which text, and at which number of it. */
interface Place {
  readonly order: readonly object[];
  readonly at: number;
}

const places = new WeakMap<object, Place>();
/** Only a text with references and such keys needs a second look. */
const REFERENCE = /"\$ref":/;
const INTEGER_KEY = /"\d+"\s*:/;
const TOKEN = /"((?:[^"\\]|\\.)*)"(\s*:)?|[{}[\],]/g;

const PERHAPS_LONG = /\d{16}/;
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<=^|[[,:\s])-?\d{16,}(?=$|[\]},\s])/g;

/** `JSON.parse`, remembering the order of the text where that matters; integers past 2^53 become `bigint`s. */
export function parseJson(text: string): unknown {
  const value: unknown = PERHAPS_LONG.test(text) ? parseExact(text) : JSON.parse(text);
  if (REFERENCE.test(text) && INTEGER_KEY.test(text)) {
    const order = written(text, value);
    order.forEach((node, at) => {
      places.set(node, { order, at });
    });
  }
  return value;
}

/** Long integers go through `JSON.parse` as strings with a mark that nobody can have written. */
function parseExact(text: string): unknown {
  const mark = randomName();
  let found = false;
  const marked = text.replace(STRING_OR_LONG_INTEGER, (token) => {
    if (token.startsWith('"') || Number.isSafeInteger(Number(token))) return token;
    found = true;
    return `"${mark}${token}"`;
  });
  if (!found) return JSON.parse(text);
  return JSON.parse(marked, (_, item: unknown) =>
    typeof item === "string" && item.startsWith(mark) ? BigInt(item.slice(mark.length)) : item,
  );
}

/** The containers of a parsed value in the order their opening brackets stand, beginning with itself. */
export function numbered(root: unknown): readonly object[] {
  const found: object[] = [];
  const visit = (node: unknown): void => {
    if (typeof node !== "object" || node === null) return;
    const place = places.get(node);
    // What stands behind it in its text, too: nothing refers to that.
    if (place) found.push(...place.order.slice(place.at));
    else {
      found.push(node);
      for (const item of Object.values(node)) visit(item);
    }
  };
  visit(root);
  return found;
}

/** Walk through the text and through what was parsed from it, side by side. */
function written(text: string, root: unknown): object[] {
  const order: object[] = [];
  const open: { readonly node: object; key: string | number }[] = [];
  for (const [token, string, colon] of text.matchAll(TOKEN)) {
    const top = open.at(-1);
    if (token === "{" || token === "[") {
      const node = top === undefined ? root : Reflect.get(top.node, top.key);
      if (typeof node !== "object" || node === null) return order; // a key stands twice: not a text of ours
      order.push(node);
      open.push({ node, key: 0 });
    } else if (token === "}" || token === "]") open.pop();
    else if (top !== undefined && token === "," && typeof top.key === "number") top.key += 1;
    else if (top !== undefined && colon !== undefined) top.key = String(JSON.parse(`"${string}"`));
  }
  return order;
}
