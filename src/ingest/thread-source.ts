/**
 * The code of a thread. It is text and uses only built-in modules: bundlers lose a thread's code in its own file, and
 * Node 20 cannot run it as TypeScript.
 *
 * It hashes and compresses in the order of the messages: blocks in shared memory, files as far as they are written, and
 * what compressed parts decompress to.
 * File descriptors belong to the whole process, so a file that was opened safely is not opened again.
 */
export const THREAD_SOURCE = `
const { parentPort } = process.getBuiltinModule('node:worker_threads');
const { createHash } = process.getBuiltinModule('node:crypto');
const { closeSync, openSync, readSync } = process.getBuiltinModule('node:fs');
const zlib = process.getBuiltinModule('node:zlib');
const running = new Map();
let buffer;

function begin(key, file) {
  const opened = typeof file === 'string' ? openSync(file, 'r') : undefined;
  const begun = { hash: createHash('sha256'), file: opened ?? file, opened, position: 0 };
  running.set(key, begun);
  return begun;
}

// zlib ignores bytes after the part. They are refused here, because other decoders may read them as content.
function decompress({ name, options }, bytes, size) {
  try {
    const { buffer, engine } = zlib[name](bytes, { ...options, info: true });
    return engine.bytesWritten === bytes.length && buffer.length === size ? buffer : undefined;
  } catch {
    return undefined;
  }
}

// Memory of a few megabytes is not left to the garbage collector, where the runtime can free it.
function free(bytes) {
  if (bytes?.length >= 262144) bytes.buffer.transfer?.(0);
}

const jobs = {
  block({ key, bytes }) {
    (running.get(key) ?? begin(key)).hash.update(bytes);
  },
  file({ key, file, size, stop }) {
    const run = running.get(key) ?? begin(key, file);
    buffer ??= Buffer.allocUnsafeSlow(262144);
    while (run.position < size) {
      if (stop !== undefined && Atomics.load(stop, 0) !== 0) throw new Error('it was told to stop');
      const wanted = Math.min(buffer.length, size - run.position);
      const count = readSync(run.file, buffer, 0, wanted, run.position);
      if (count === 0) throw new Error(file + ' ends at ' + run.position + ', not at ' + size);
      run.hash.update(buffer.subarray(0, count));
      run.position += count;
    }
  },
  zlib({ call, bytes }) {
    return zlib[call.name](bytes, call.options);
  },
  part({ key, call, bytes, size }) {
    const content = decompress(call, bytes, size);
    if (content !== undefined) (running.get(key) ?? begin(key)).hash.update(content);
    free(bytes);
    free(content);
    return content !== undefined;
  },
  end({ key }) {
    const run = running.get(key) ?? begin(key);
    running.delete(key);
    if (run.opened !== undefined) closeSync(run.opened);
    return run.hash.digest('hex');
  },
};

parentPort.on('message', (job) => {
  try {
    const value = jobs[job.kind](job);
    parentPort.postMessage({ id: job.id, value }, typeof value === 'object' ? [value.buffer] : []);
  } catch (error) {
    parentPort.postMessage({ id: job.id, error: String(error) });
  }
});
`;
