/** The loop that the engine is measured against: nothing but IndexedDB. */
self.onmessage = async ({ data: { durability, commits, puts } }) => {
  const database = await new Promise((resolve, reject) => {
    const request = indexedDB.open("bench-raw", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("kv", { keyPath: "key" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const value = "x".repeat(400);
  const began = performance.now();
  for (let i = 0; i < commits; i++) {
    await new Promise((resolve, reject) => {
      const transaction = database.transaction(["kv"], "readwrite", { durability });
      const rows = transaction.objectStore("kv");
      for (let k = 0; k < puts; k++) rows.put({ key: `key/${k}`, value: `${i}${value}`, version: i });
      transaction.commit();
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
  }
  const elapsed = performance.now() - began;
  database.close();
  self.postMessage({ rate: (commits * 1000) / elapsed });
};
