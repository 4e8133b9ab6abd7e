/** The header: how the engine stands, and the button that kills it. */

import type { Engine, EngineView } from "weft-browser";
import { say } from "./dom.js";
import { page } from "./parts.js";

const TEXT: Record<EngineView["phase"], string> = {
  waiting: "Waiting for its turn",
  booting: "Starting Python…",
  serving: "Engine running in this tab",
  closed: "Engine stopped",
  failed: "Engine failed",
};

let killed = false;

/** Show every change, and obey the button. */
export function showEngine(engine: Engine): void {
  engine.on("change", draw);
  page.kill.addEventListener("click", () => {
    const { phase } = engine.view;
    killed = phase !== "closed" && phase !== "failed";
    if (killed) engine.kill();
    else engine.start();
  });
}

function draw(view: EngineView): void {
  const other = view.phase === "waiting" && view.leader === "other";
  const byHand = killed && view.phase === "closed";
  page.engine.dataset["phase"] = byHand ? "killed" : other ? "serving" : view.phase;
  page.engineText.textContent = other
    ? "Another tab runs the engine; this one takes over when it ends"
    : byHand
      ? "Engine killed. The checkpoint is safe."
      : view.retryAt
        ? "The site does not answer; the engine is tried again"
        : TEXT[view.phase];
  page.engineText.title = view.message;
  const gone = view.phase === "closed" || view.phase === "failed";
  page.kill.disabled = view.phase === "waiting";
  page.kill.textContent = gone ? "Start the engine" : "Kill the engine";
  page.kill.classList.toggle("danger", !gone);
  say(page.engineProblem, view.phase === "failed" ? `The engine stopped: ${view.message}` : "");
}
