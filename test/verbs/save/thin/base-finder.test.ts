import { beforeEach, describe, expect, test } from 'vitest';
import { DrayageError } from '../../../../src/errors.ts';
import { Ledger } from '../../../../src/image/ledger.ts';
import type { BaseSearch } from '../../../../src/verbs/save/thin/base-finder.ts';
import { BaseFinder } from '../../../../src/verbs/save/thin/base-finder.ts';
import { makeCargo } from '../../../docker/cargo.ts';
import { MemoryRegistry } from '../../../support/memory-registry.ts';

const BASE = makeCargo({ layers: ['base', 'middle'] });
const APPS = ['app', 'web'].map((top) => ({
  name: top,
  cargo: makeCargo({ layers: ['base', 'middle', top] }),
}));
const PLATFORM = { os: 'linux', architecture: 'amd64' };
const NAME = 'registry.example/base:1';

let registry: MemoryRegistry;
let notes: string[];
let asked: string[];
let ledger: Ledger;
beforeEach(() => {
  [notes, asked] = [[], []];
  registry = new MemoryRegistry();
  ledger = new Ledger();
  registry.push(NAME, BASE.root, BASE.source);
});

/** The bases that are found for two images, one after the other. */
async function find(search: Partial<BaseSearch>, signal?: AbortSignal): Promise<(string | undefined)[]> {
  const finder = new BaseFinder(
    { openRepository: registry.open, ...search },
    ledger,
    (note) => void notes.push(note),
    { signal },
  );
  const found: (string | undefined)[] = [];
  for (const { name, cargo } of APPS) {
    const base = await finder.find({ name, diffIds: cargo.diffIds, platform: PLATFORM });
    found.push(base?.name);
  }
  return found;
}

/** What never answers below `dead.example`. */
const openDead: BaseSearch['openRepository'] = async (reference, options) => {
  asked.push(reference);
  if (!reference.startsWith('dead.example')) return registry.open(reference);
  options.signal?.throwIfAborted();
  return new Promise((_, reject) => {
    options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
  });
};

const DEAD = ['dead.example/a:1', 'dead.example/b:1'];

describe('a registry', () => {
  test.each(['asked', 'built'])(
    'that gives no answer is waited for once, and spoken of once (%s)',
    async (how) => {
      const found = await find({ openRepository: openDead, [how]: DEAD, patience: 5 });
      expect(found).toEqual([undefined, undefined]);
      expect(asked).toEqual(['dead.example/a:1']);
      expect(notes).toEqual([
        'app: the base dead.example/a:1 cannot be used: no answer within 0.005 s; its registry is not asked again',
      ]);
    },
  );

  test('that gives no answer does not keep a base of another one from being found', async () => {
    const found = await find({ openRepository: openDead, built: [...DEAD, NAME], patience: 5 });
    expect(found).toEqual([NAME, NAME]);
    expect(notes).toHaveLength(1);
  });

  test.each([undefined, 429, 503])('that cannot be reached (%j) is not asked again', async (status) => {
    const openRepository: BaseSearch['openRepository'] = async (reference) => {
      asked.push(reference);
      throw new DrayageError('UNREACHABLE', 'cannot reach it', status === undefined ? {} : { status });
    };
    await find({ openRepository, asked: DEAD });
    expect(asked).toEqual(['dead.example/a:1']);
  });

  test('that refuses one base may give another', async () => {
    const openRepository: BaseSearch['openRepository'] = async (reference) => {
      if (reference === NAME) return registry.open(reference);
      throw new DrayageError('UNREACHABLE', 'refused', { status: 403 });
    };
    expect(await find({ openRepository, asked: ['registry.example/secret:1', NAME] })).toEqual([NAME, NAME]);
  });

  test('is left with the reason of a signal', async () => {
    const controller = new AbortController();
    const finding = find({ openRepository: openDead, asked: DEAD }, controller.signal);
    controller.abort(new Error('enough'));
    await expect(finding).rejects.toThrow('enough');
  });
});

/** A daemon that cannot tell of its images. */
const broken: BaseSearch['pulled'] = async () => {
  throw new DrayageError('DAEMON', 'the daemon answers 500');
};

test('a daemon that cannot tell of its images costs that source only, and is spoken of once', async () => {
  expect(await find({ pulled: broken })).toEqual([undefined, undefined]);
  expect(notes).toEqual(['no base is sought among the images of the daemon: the daemon answers 500']);
});

test('where no base is found, a note says so once for each image, and how to name one', async () => {
  const reasons: unknown[] = [];
  const onNote = (message: string, reason?: string): void => void reasons.push([message, reason]);
  const finder = new BaseFinder({ openRepository: registry.open }, ledger, onNote);
  for (const { name, cargo } of [...APPS, ...APPS])
    await finder.find({ name, diffIds: cargo.diffIds, platform: PLATFORM });
  expect(reasons).toEqual(
    ['app', 'web'].map((name) => [`${name}: no base image was found in a registry`, 'NO_BASE']),
  );
});
