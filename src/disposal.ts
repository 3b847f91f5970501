import { Readable } from 'node:stream';

// Before Node 24, a realm of node:vm, such as that of a test in vitest's vmThreads, lacks the symbol by which `await using`
// closes things. Node's own objects have it, under the symbol of the main realm. This file comes before every class.
const isAbsent: boolean = !('asyncDispose' in Symbol);
if (isAbsent) {
  const value = Object.getOwnPropertySymbols(Readable.prototype).find(
    ({ description }) => description === 'Symbol.asyncDispose',
  );
  Object.defineProperty(Symbol, 'asyncDispose', { value: value ?? Symbol.for('Symbol.asyncDispose') });
}
