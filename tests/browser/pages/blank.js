/** The client, and the tests' app on it, for `page.evaluate`. */
import * as weft from "/weft/weft.js";

globalThis.calls = [];
globalThis.release = {};
const activities = {
  shout: (text, { key, attempt }) => {
    globalThis.calls.push({ text, key, attempt });
    return text.toUpperCase();
  },
  refuse: () => {
    throw new TypeError("not today");
  },
  /** Ends when `release[text]` is called. */
  hold: (text) =>
    new Promise((resolve) => {
      globalThis.release[text] = () => resolve(`held ${text}`);
    }),
  same: (value) => value,
  /** Does what no page should: throws or gives something that cannot be told or stored. */
  misbehave: (how) => {
    globalThis.calls.push({ how });
    if (how === "throw nothing") throw undefined;
    if (how === "throw an object") throw { code: 5, message: "boom" };
    if (how === "throw a riddle") throw Object.assign(Object.create(null), { message: Symbol("riddle") });
    if (how === "throw for good") throw Object.assign(new RangeError("sold out"), { non_retryable: true });
    if (how === "give a map") return new Map();
    if (how === "give a function") return () => 1;
    return 10n;
  },
};

globalThis.openWeft = (options) =>
  weft.Weft.open({ app: "app:app", files: { "app.py": "/pages/app.py" }, database: "test", activities, ...options });
globalThis.weft = weft;
