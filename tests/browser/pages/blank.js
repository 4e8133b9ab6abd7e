/** The client, and the tests' app on it, for `page.evaluate`. */
import * as weft from "/weft/weft.js";

globalThis.calls = [];
const activities = {
  shout: (text, { key, attempt }) => {
    globalThis.calls.push({ text, key, attempt });
    return text.toUpperCase();
  },
  refuse: () => {
    throw new TypeError("not today");
  },
};

globalThis.openWeft = (options) =>
  weft.Weft.open({ app: "app:app", files: { "app.py": "/pages/app.py" }, database: "test", activities, ...options });
globalThis.weft = weft;
