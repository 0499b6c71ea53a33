// The validator's own thread: the same wasm module as the page's, called by name.
// In: {id, name, args}. Out: {id, result} or {id, error}. The build puts the address of the module into the next line.
import init, * as module from "./batchdesk.js";

const ready = init();

self.addEventListener("message", async ({ data: { id, name, args } }) => {
  try {
    await ready;
    const call = Object.hasOwn(module, name) ? module[name] : undefined;
    if (typeof call !== "function") throw new Error(`the module has no function ${name}`);
    self.postMessage({ id, result: await call(...args) });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
});
