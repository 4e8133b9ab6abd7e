/** Runs Python tests in a worker, as `runSuite({ package, files, url, mode, words })`; its lines gather in `lines`. */
globalThis.lines = [];

globalThis.runSuite = (options) =>
  new Promise((resolve, reject) => {
    const worker = new Worker("suite_worker.js", { type: "module" });
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = ({ data }) => {
      if (data.line !== undefined) globalThis.lines.push(data.line);
      if (data.failures === undefined) return;
      worker.terminate();
      resolve(data.failures);
    };
    worker.postMessage(options);
  });
