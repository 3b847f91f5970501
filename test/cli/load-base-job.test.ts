import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import type { FakeOptions } from '../support/fake-daemon.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import type { FakeJob, Fault } from '../support/fake-gitlab.ts';
import { JobChain } from '../support/job-chain.ts';
import { listFiles } from '../support/list-files.ts';

/** Layers that no compression makes smaller, so that their requests are told from those of documents. */
const SIZE = 80_000;
const OLD = Array.from({ length: 11 }, () => randomBytes(SIZE));
const FIRST = makeCargo({ layers: OLD });
const SECOND = makeCargo({ layers: [...OLD, randomBytes(SIZE)] });

let chain: JobChain;
let shipped: readonly FakeJob[];
beforeAll(async () => {
  chain = await JobChain.open();
  await chain.pipeline('1', FIRST);
  await chain.pipeline('2', SECOND);
  shipped = [...chain.jobs];
});
afterAll(async () => chain.close());
beforeEach(async () => chain.reset(shipped));

/** Requests of the storage that are for layers. */
const layerRequests = (): string[] =>
  chain.gitlab.ranges.filter((range) => {
    const [, first, last] = /(\d+)-(\d+)/.exec(range) ?? [];
    return Number(last) - Number(first) > SIZE;
  });

async function load(
  daemon: FakeDaemon,
  env: Record<string, string> = {},
  ...more: string[]
): Promise<CliResult> {
  const args = ['load', '--job', 'build', '--host', daemon.host, ...more];
  return drayage(args, { cwd: chain.cwd, env: { ...chain.envOf('2'), ...env } });
}

describe.each<NonNullable<FakeOptions['kind']>>(['graph', 'containerd', 'podman'])(
  'load --job into %s',
  (kind) => {
    let daemon: FakeDaemon;
    beforeEach(async () => {
      daemon = await FakeDaemon.start({ kind });
    });

    test('reads each layer once, and lets none land on disk', async () => {
      const TMPDIR = join(chain.cwd, 'tmp');
      await mkdir(TMPDIR);
      const landed: string[] = [];
      daemon.handlers.set('POST /images/load', async (request, response) => {
        await daemon.serve(request, response);
        const files = await listFiles(TMPDIR);
        // Node keeps compiled code there, too.
        const own = files.filter(({ path, size }) => path.startsWith('drayage-') && size >= SIZE);
        landed.push(...own.map(({ path }) => path));
      });
      expect(await load(daemon, { TMPDIR })).toMatchObject({ code: 0 });
      expect(landed).toEqual([]);
      expect(layerRequests()).toHaveLength(12);
    });

    test('reads several layers at a time, through at most 8 connections', async () => {
      let [running, atOnce] = [0, 0];
      chain.gitlab.faults.storage = (_request, response) => {
        running += 1;
        atOnce = Math.max(atOnce, running);
        response.once('close', () => (running -= 1));
        const end = response.end.bind(response) as (...args: unknown[]) => unknown;
        response.end = ((...args: unknown[]) => {
          void setTimeout(50).then(() => end(...args));
          return response;
        }) as typeof response.end;
        return 'pass';
      };
      expect(await load(daemon)).toMatchObject({ code: 0 });
      expect(atOnce).toBeGreaterThan(3);
      expect(atOnce).toBeLessThanOrEqual(8);
    });

    test('goes on where the connection was cut', async () => {
      let cuts = 0;
      chain.gitlab.faults.storage = ({ headers }, response) => {
        const [, first, last] = /(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
        if (Number(last) - Number(first) < SIZE || cuts++ >= 3) return 'pass';
        const end = response.end.bind(response);
        response.end = ((bytes: Buffer) => {
          response.write(bytes.subarray(0, 50_000), () => response.destroy());
          response.end = end;
          return response;
        }) as typeof end;
        return 'pass';
      };
      expect(await load(daemon)).toMatchObject({ code: 0 });
      expect(cuts).toBeGreaterThan(3);
      // Only the rest of a cut layer is read again.
      expect(chain.gitlab.sent).toBeLessThan(12 * (SIZE + 4096) + 200_000);
    });

    test.each([404, 410])('changes nothing where a base is deleted (%i) meanwhile', async (status) => {
      let layers = 0;
      const isGone = ({ url, headers }: IncomingMessage): boolean => {
        const [, first, last] = /(\d+)-(\d+)/.exec(headers.range ?? '') ?? [];
        if (url?.includes('/bucket/1') === true && Number(last) - Number(first) > SIZE) layers += 1;
        return layers > 3 && (url?.includes('/bucket/1') === true || url?.includes('/jobs/1/') === true);
      };
      const answer: Fault = (request, response) => {
        if (!isGone(request)) return 'pass';
        response.writeHead(status).end('{}');
        return undefined;
      };
      Object.assign(chain.gitlab.faults, { api: answer, storage: answer });
      const { code, stderr } = await load(daemon);
      expect(stderr).toContain('cannot be read from its base job 1 of project 12');
      expect(stderr).toContain('--base-job none');
      expect(code).toBe(3);
      expect(layers).toBeGreaterThan(3);
      expect(daemon.images).toEqual([]);
    });

    test('waits where GitLab limits its requests', async () => {
      let refused = 0;
      chain.gitlab.faults.storage = (_request, response) => {
        if (refused++ > 2) return 'pass';
        response.writeHead(429, { 'retry-after': '1' }).end();
        return undefined;
      };
      expect(await load(daemon)).toMatchObject({ code: 0 });
      expect(layerRequests().length).toBeLessThanOrEqual(12 + 3);
    });

    test('does not miss a base job that is gone where the daemon has its layers', async () => {
      const first = ['load', '--job-id', '1', '--host', daemon.host];
      expect(await drayage(first, { cwd: chain.cwd, env: chain.envOf('1') })).toMatchObject({ code: 0 });
      chain.refuse('1', 410);
      chain.gitlab.seen.splice(0);
      expect(await load(daemon)).toMatchObject({ code: 0 });
      expect(layerRequests()).toHaveLength(1);
    });

    test('asks a base job for nothing that the cache or the daemon has', async () => {
      expect(await load(daemon, {}, '--cache', 'cache')).toMatchObject({ code: 0 });
      chain.gitlab.seen.splice(0);
      const other = await FakeDaemon.start({ kind });
      expect(await load(other, {}, '--cache', 'cache')).toMatchObject({ code: 0 });
      expect(layerRequests()).toEqual([]);
      expect(await load(daemon)).toMatchObject({ code: 0 });
      expect(layerRequests()).toEqual([]);
    });
  },
);

test('layers come from two layouts of one artifact', async () => {
  const [base, own] = [OLD.slice(0, 2), OLD.slice(2, 4)];
  // A layer's file is named by its place in the image.
  for (const [folder, layers] of Object.entries({ 'images/a': base, 'images/b': ['x', 'y', ...own] })) {
    await chain.build(makeCargo({ layers }));
    await chain.save('5', '--from', 'built', '-o', folder);
  }
  await chain.ship('5', { folders: ['images/a', 'images/b'] });
  chain.jobs[0] = { ...(chain.jobs[0] ?? expect.fail()), name: 'both' };
  const image = makeCargo({ layers: [...base, ...own] });
  const saved = await chain.pipeline('6', image, ['--base-job', 'both', '--pipeline', '5']);
  expect(saved.images[0]?.layers.map(({ status }) => status)).toEqual(
    Array.from({ length: 4 }, () => 'omitted'),
  );
  const daemon = await FakeDaemon.start();
  const args = ['load', '--job', 'build', '--host', daemon.host];
  expect(await drayage(args, { cwd: chain.cwd, env: chain.envOf('6') })).toMatchObject({ code: 0 });
  expect(daemon.images.map(({ id }) => id)).toEqual([image.configDigest]);
});
