import { AsyncLocalStorage } from 'node:async_hooks';
import type { ErrorFacts } from './errors.ts';
import { DrayageError } from './errors.ts';

/** How much a run may spend of each. Beyond it, the run ends with `LIMIT`. */
export interface BudgetLimits {
  /** Documents that are read: manifests, indexes, configs, statements. One that is read again counts again. */
  documents: number;
  /** Memory for all different documents, in bytes: their text, and the values in it. */
  documentMemory: number;
  /** Entries of all index.json that are read. */
  entries: number;
  /** Signatures and other documents that refer to images. */
  referrers: number;
  /** Layouts that are opened, also inside artifacts. */
  layouts: number;
  /** Decompressed bytes that need no compressed bytes: what is beyond them must not exceed {@link expansionRatio}. */
  expansion: number;
  /** Decompressed bytes for each compressed byte. */
  expansionRatio: number;
  /** Memory for all replies that are read whole, in bytes: lists, manifests, tokens. One that is sent again counts again. */
  replyMemory: number;
  /** Bytes of downloads that do not say how large they are. */
  unsized: number;
}

const MIB = 1024 * 1024;

/** Far more than images need; few enough for seconds of work and the memory of a small job. */
const DEFAULTS: Readonly<BudgetLimits> = {
  documents: 200_000,
  documentMemory: 24 * MIB,
  entries: 200_000,
  referrers: 10_000,
  layouts: 1000,
  expansion: 1024 * MIB,
  expansionRatio: 200,
  replyMemory: 96 * MIB,
  unsized: 16 * 1024 * MIB,
};

const MANY: ErrorFacts = {
  reason: 'BUDGET',
  hint: 'no image needs so much: find out who made it; or handle fewer at a time',
};

/** What is counted one by one. */
export type Countable = 'documents' | 'entries' | 'referrers' | 'layouts';

const WORDS: Readonly<Record<Countable, string>> = {
  documents: 'documents of images',
  entries: 'entries of index.json',
  referrers: 'referrers',
  layouts: 'layouts',
};

/** About what a value in a JSON document takes in memory beside its text, in bytes. */
const VALUE = 48;

/** What a run has spent. Once it has spent too much, each further expense fails. */
export class Budget {
  /** How much was spent so far, for tests and reports. */
  readonly spent = {
    documents: 0,
    documentMemory: 0,
    entries: 0,
    referrers: 0,
    layouts: 0,
    replyMemory: 0,
    read: 0,
    made: 0,
    unsized: 0,
  };
  /** The first expense that was too much. */
  exceeded: DrayageError | undefined;
  readonly #limits: BudgetLimits;
  readonly #documents = new Set<string>();

  constructor(limits: Partial<BudgetLimits> = {}) {
    this.#limits = { ...DEFAULTS, ...limits };
  }

  /** @throws {@link DrayageError} `LIMIT` */
  spend(what: Countable, count: number): void {
    this.spent[what] += count;
    this.#assert(this.spent[what], this.#limits[what], `over ${this.#limits[what]} ${WORDS[what]}`);
  }

  /**
   * Spends a document that was read.
   * @param key identifies it: a digest, a path
   * @throws {@link DrayageError} `LIMIT`
   */
  spendDocument(key: string, bytes: Uint8Array): void {
    this.spend('documents', 1);
    if (this.#documents.has(key)) return;
    this.#documents.add(key);
    this.spent.documentMemory += memoryFor(bytes);
    const limit = this.#limits.documentMemory;
    this.#assert(this.spent.documentMemory, limit, `documents that need over ${limit / MIB} MiB of memory`);
  }

  /**
   * Spends a reply of a server that was read whole: a server may send pages without end.
   * @throws {@link DrayageError} `LIMIT`
   */
  spendReply(bytes: Uint8Array): void {
    this.spent.replyMemory += memoryFor(bytes);
    this.#assertReplies(this.spent.replyMemory);
  }

  /**
   * Checks a reply that is read whole and dropped soon, as those of a daemon: a run may ask for its lists any number of
   * times.
   * @throws {@link DrayageError} `LIMIT`
   */
  checkReply(bytes: Uint8Array): void {
    this.#assertReplies(memoryFor(bytes));
  }

  /**
   * Spends decompressed bytes. Call it with what was read so far, before what it decompresses to.
   * @throws {@link DrayageError} `LIMIT`
   */
  spendExpansion(read: number, made: number): void {
    this.spent.read += read;
    this.spent.made += made;
    const { expansion, expansionRatio } = this.#limits;
    const limit = expansion + expansionRatio * this.spent.read;
    this.#assert(
      this.spent.made,
      limit,
      `content that decompresses to over ${expansionRatio} times its size`,
      {
        reason: 'EXPANSION',
        hint: 'find out who made it; if it does hold so much of the same, allow more',
      },
    );
  }

  /**
   * Spends bytes of a download whose server does not say how large it is.
   * @throws {@link DrayageError} `LIMIT`
   */
  spendUnsized(bytes: number): void {
    this.spent.unsized += bytes;
    const limit = this.#limits.unsized;
    this.#assert(this.spent.unsized, limit, `over ${limit / MIB} MiB of a size that its server does not say`);
  }

  #assertReplies(actual: number): void {
    const limit = this.#limits.replyMemory;
    this.#assert(actual, limit, `replies of servers that need over ${limit / MIB} MiB of memory`);
  }

  #assert(actual: number, expected: number, what: string, facts: ErrorFacts = MANY): void {
    if (actual <= expected) return;
    this.exceeded ??= new DrayageError('LIMIT', `the input has ${what}`, { expected, actual, ...facts });
    throw this.exceeded;
  }
}

/** About how much memory a document needs, in bytes: its text, and the values in it. */
function memoryFor(bytes: Uint8Array): number {
  return bytes.length + VALUE * valuesIn(bytes);
}

/** About how many values a JSON text has. Counts what could begin one, also within texts. */
function valuesIn(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) count += 1;
  return count;
}

const active = new AsyncLocalStorage<Budget>();
/** The budget of a process that does one run only. */
let ofProcess: Budget | undefined;

/** The budget of the current run, if it has one. */
export function currentBudget(): Budget | undefined {
  return ofProcess ?? active.getStore();
}

/**
 * Runs work within one budget, whichever places and verbs it uses. A parameter that one of them forgot to hand on would
 * be a gap. Inside another run, the work spends of that one's budget.
 * @throws {@link DrayageError} `LIMIT` if it spends too much, also if the work itself goes on after that; errors of the
 * work
 */
export async function withBudget<T>(work: () => Promise<T>, budget: Budget = new Budget()): Promise<T> {
  if (currentBudget() !== undefined) return work();
  return active.run(budget, async () => within(work, budget));
}

/**
 * Runs the only work of a process, as {@link withBudget} does. Telling several runs apart makes every promise dearer,
 * on Node before 24.
 * @throws {@link DrayageError} `LIMIT`; errors of the work
 */
export async function withProcessBudget<T>(work: () => Promise<T>, budget: Budget): Promise<T> {
  ofProcess = budget;
  try {
    return await within(work, budget);
  } finally {
    ofProcess = undefined;
  }
}

async function within<T>(work: () => Promise<T>, budget: Budget): Promise<T> {
  const result = await work();
  if (budget.exceeded !== undefined) throw budget.exceeded;
  return result;
}
