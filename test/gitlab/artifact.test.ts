import type { ServerResponse } from 'node:http';
import { readdir } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Budget, withBudget } from '../../src/budget.ts';
import type { GitLabOptions } from '../../src/gitlab/api.ts';
import type { JobArtifact } from '../../src/gitlab/artifact.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { sampleImage } from '../../src/testing/sample-images.ts';
import type { Fault, FakeGitLabOptions } from '../support/fake-gitlab.ts';
import { FakeGitLab, TOKEN } from '../support/fake-gitlab.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';
import type { Pauses } from './artifacts.ts';
import { clientOf, imageFiles, layoutFiles, named, noise, zipped } from './artifacts.ts';

/** So much that it comes in many pieces, and does not compress. */
const LARGE = noise(3_000_017);
const IMAGE = sampleImage(['base', 'app']);
const FILES = layoutFiles(named([LARGE]));
const JOB = { kind: 'id', jobId: '123', project: 'group/app' } as const;

const ARCHIVES = {
  deflated: zip(zipped(FILES)),
  stored: zip(zipped(FILES, { method: 'stored' })),
};

interface Opened extends Pauses {
  fake: FakeGitLab;
  artifact: JobArtifact;
  read: () => Promise<Buffer>;
}

async function fakeWith(
  options: FakeGitLabOptions = {},
  archive: Buffer = ARCHIVES.stored,
): Promise<FakeGitLab> {
  return FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive, files: FILES }], ...options });
}

async function open(
  fake: FakeGitLab,
  options: Partial<GitLabOptions> = {},
  temporary?: string,
): Promise<Opened> {
  const client = clientOf(fake, options);
  onTestFinished(() => client[Symbol.asyncDispose]());
  const artifact = await client.openArtifact(JOB, { temporary });
  onTestFinished(() => artifact[Symbol.asyncDispose]());
  const read = async (): Promise<Buffer> => {
    const [layout] = artifact.layouts;
    if (layout === undefined) throw new Error('no layout');
    return buffer(await layout.open(describeBytes(LARGE)));
  };
  return { fake, artifact, read, pauses: client.pauses };
}

const leaks = (fake: FakeGitLab): unknown[] =>
  fake.seen.filter(({ server, tokens }) => server === 'storage' && tokens.length > 0);

/** A fault for the first requests only. */
function first(count: number, fault: Fault): Fault {
  let left = count;
  return (request, response) => {
    left -= 1;
    return left < 0 ? 'pass' : fault(request, response);
  };
}

const answer =
  (status: number, headers: Record<string, string> = {}): Fault =>
  (_, response) =>
    void response.writeHead(status, headers).end('{}');

/** Sends the first half of what was asked for, then cuts the connection. */
function cutMidway(archive: Buffer): Fault {
  return ({ headers }, response) => {
    const [, start = '0', end = ''] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
    const part = archive.subarray(Number(start), Number(end) + 1);
    if (part.length < 1_000_000) return 'pass';
    sendHalf(response, part, `bytes ${start}-${end}/${archive.length}`);
    return undefined;
  };
}

function sendHalf(response: ServerResponse, part: Buffer, range: string): void {
  response.writeHead(206, { 'content-range': range, 'content-length': part.length });
  response.write(part.subarray(0, part.length >> 1), () => response.destroy());
}

describe('an artifact in object storage', () => {
  test('is read by ranges, and no token goes there', async () => {
    const { fake, read } = await open(await fakeWith());
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen.filter(({ server }) => server === 'api')).toMatchObject([
      { url: '/api/v4/jobs/123/artifacts?direct_download=true', tokens: ['job-token'] },
    ]);
    expect(fake.ranges.length).toBe(fake.seen.length - 1);
    expect(leaks(fake)).toEqual([]);
  });

  test('costs nothing but its directory until a blob is asked for', async () => {
    const { fake, artifact, read } = await open(await fakeWith());
    expect(await artifact.layouts[0]?.has(describeBytes(LARGE))).toBe(true);
    expect(fake.sent).toBeLessThan(20_000);
    await read();
    expect(fake.sent).toBeLessThan(LARGE.length + 20_000);
  });

  test.each(['stored', 'deflated'] as const)('goes on where the connection was cut: %s', async (method) => {
    const archive = ARCHIVES[method];
    const { fake, read, pauses } = await open(await fakeWith({}, archive));
    fake.faults.storage = first(2, cutMidway(archive));
    expect((await read()).equals(LARGE)).toBe(true);
    expect(pauses).toHaveLength(2);
    const starts = fake.ranges.slice(-3).map((range) => Number(/\d+/.exec(range)?.[0]));
    expect(starts[1]).toBeGreaterThan(starts[0] ?? 0);
    expect(starts[2]).toBeGreaterThan(starts[1] ?? 0);
    expect(leaks(fake)).toEqual([]);
  });

  test('whose signed address has expired is asked for again', async () => {
    const { fake, read } = await open(await fakeWith());
    fake.signature += 1;
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen.filter(({ server }) => server === 'api')).toHaveLength(2);
    expect(leaks(fake)).toEqual([]);
  });

  test.each([429, 500, 502, 503])('that answers %i twice is asked three times', async (status) => {
    const { fake, read, pauses } = await open(await fakeWith());
    fake.faults.storage = first(2, answer(status));
    expect((await read()).equals(LARGE)).toBe(true);
    expect(pauses).toHaveLength(2);
    expect(pauses[1]).toBeGreaterThan((pauses[0] ?? 0) / 2);
  });

  test.each([
    ['7', {}],
    ['Fri, 20 Nov 2026 10:00:07 GMT', { date: 'Fri, 20 Nov 2026 10:00:00 GMT' }],
  ])('is left alone for as long as Retry-After says: %s', async (text, headers) => {
    const { fake, read, pauses } = await open(await fakeWith());
    fake.faults.storage = first(1, answer(429, { 'retry-after': text, ...headers }));
    await read();
    expect(pauses).toEqual([7000]);
  });

  test('that stays broken is an error that may be tried again, after five attempts', async () => {
    const { fake, read, pauses } = await open(await fakeWith());
    fake.faults.storage = answer(503);
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE', facts: { status: 503 } });
    expect(pauses).toHaveLength(4);
  });

  test('that wants an hour is not waited for', async () => {
    const { fake, read, pauses } = await open(await fakeWith());
    fake.faults.storage = answer(429, { 'retry-after': '3600' });
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE', facts: { retryAfter: 3600 } });
    expect(pauses).toEqual([]);
  });

  test('that loses its ranges never sends a whole archive for a blob', async () => {
    const { fake, read } = await open(await fakeWith());
    fake.options.ranges = false;
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE' });
    fake.options.ranges = true;
    expect((await read()).equals(LARGE)).toBe(true);
  });

  test('that becomes another one is an error, not a mixture', async () => {
    const { fake, read } = await open(await fakeWith());
    fake.options.jobs = [{ id: 123, name: 'build', archive: zip(zipped(FILES, { extra: 9 })) }];
    await expect(read()).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('an artifact without ranges', () => {
  test('is read file by file where GitLab lists them, each blob once', async () => {
    const { fake, read } = await open(await fakeWith({ ranges: false, lists: true }));
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen.filter(({ url }) => url.includes('/blobs/'))).toHaveLength(1);
  });

  test('is resumed file by file by reading over what has come', async () => {
    const { fake, read } = await open(await fakeWith({ ranges: false, lists: true }));
    fake.faults.api = first(1, (_, response) => {
      response.writeHead(200, { 'content-length': LARGE.length });
      response.write(LARGE.subarray(0, 1_000_000), () => response.destroy());
    });
    expect((await read()).equals(LARGE)).toBe(true);
  });

  test('is downloaded whole, once, and removed at the end', async () => {
    const temporary = await temporaryFolder();
    const { fake, artifact, read } = await open(await fakeWith({ ranges: false }), {}, temporary);
    const before = fake.seen.length;
    expect((await read()).equals(LARGE)).toBe(true);
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen.length).toBe(before);
    expect(await readdir(temporary)).toHaveLength(1);
    await artifact[Symbol.asyncDispose]();
    expect(await readdir(temporary)).toEqual([]);
    expect(leaks(fake)).toEqual([]);
  });

  test('is downloaded anew where the connection was cut', async () => {
    const fake = await fakeWith({ ranges: false });
    fake.faults.storage = (request, response) => {
      if (request.headers.range !== undefined) return 'pass';
      response.writeHead(200, { 'content-length': ARCHIVES.stored.length });
      response.write(ARCHIVES.stored.subarray(0, 2_000_000), () => response.destroy());
      delete fake.faults.storage;
      return undefined;
    };
    const { read } = await open(fake, {}, await temporaryFolder());
    expect((await read()).equals(LARGE)).toBe(true);
  });

  test('counts against the budget where its size is not stated', async () => {
    const fake = await fakeWith({ ranges: false });
    fake.faults.storage = (request, response) => {
      if (request.headers.range !== undefined) return 'pass';
      response.writeHead(200);
      response.end(ARCHIVES.stored);
      return undefined;
    };
    const temporary = await temporaryFolder();
    const download = async (budget: Budget): Promise<unknown> =>
      withBudget(() => open(fake, {}, temporary), budget);
    const enough = new Budget({ unsized: ARCHIVES.stored.length });
    await download(enough);
    expect(enough.spent.unsized).toBe(ARCHIVES.stored.length);
    const budget = new Budget({ unsized: 1_000_000 });
    await expect(download(budget)).rejects.toMatchObject({ code: 'LIMIT', facts: { reason: 'BUDGET' } });
    expect(budget.spent.unsized).toBeLessThan(2_000_000);
    expect(await readdir(temporary)).toHaveLength(1);
  });

  test('is refused where there is no folder for it', async () => {
    await expect(open(await fakeWith({ ranges: false }))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('the way to an artifact', () => {
  test("is the project's route where the runner's is closed", async () => {
    const fake = await fakeWith();
    fake.faults.api = ({ url = '' }, response) => {
      if (!url.startsWith('/api/v4/jobs/')) return 'pass';
      response.writeHead(403).end('{}');
      return undefined;
    };
    const { read } = await open(fake);
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen.map(({ url }) => url)).toContain('/api/v4/projects/group%2Fapp/jobs/123/artifacts');
  });

  test('is the personal token where there is no job token', async () => {
    const { fake, read } = await open(await fakeWith(), { jobToken: undefined, token: TOKEN });
    expect((await read()).equals(LARGE)).toBe(true);
    expect(fake.seen[0]?.tokens).toEqual(['private-token']);
    expect(leaks(fake)).toEqual([]);
  });

  test("is the runner's on an instance without a licence", async () => {
    const { read } = await open(await fakeWith({ licensed: false }));
    expect((await read()).equals(LARGE)).toBe(true);
  });

  test('without any token is an error that says what to set', async () => {
    await expect(open(await fakeWith(), { jobToken: undefined })).rejects.toMatchObject({
      code: 'DENIED',
      facts: { reason: 'TOKEN_MISSING', hint: expect.stringContaining('CI_JOB_TOKEN') as string },
    });
  });

  test('with a token that is not valid is an error that says so, at once', async () => {
    const fake = await fakeWith();
    await expect(open(fake, { jobToken: 'old' })).rejects.toMatchObject({
      code: 'DENIED',
      facts: { status: 401, hint: expect.stringContaining('CI_JOB_TOKEN') as string },
    });
    expect(fake.seen).toHaveLength(2);
  });

  test('to nowhere is an error after five attempts', async () => {
    const fake = await fakeWith();
    await fake.stop();
    await expect(open(fake)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  test('in circles is an error', async () => {
    const fake = await fakeWith();
    fake.faults.api = (_, response) => void response.writeHead(302, { location: '/api/v4/x' }).end();
    await expect(open(fake)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(fake.seen.length).toBeLessThan(50);
  });
});

describe('what is not there', () => {
  test('an artifact that has expired: the usual causes are named', async () => {
    const fake = await fakeWith({ jobs: [{ id: 123, name: 'build' }] });
    await expect(open(fake)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { status: 404, hint: expect.stringContaining('expire_in') as string },
    });
  });

  test('a layout in an artifact of something else', async () => {
    const archive = zip([{ path: 'report.txt', bytes: Buffer.from('all well') }]);
    await expect(open(await fakeWith({}, archive))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['no zip', Buffer.alloc(100_000, 'x')],
    ['a zip that is cut', ARCHIVES.stored.subarray(0, -30)],
  ])('a zip: %s', async (_, archive) => {
    const temporary = await temporaryFolder();
    await expect(open(await fakeWith({}, archive), {}, temporary)).rejects.toMatchObject({
      code: 'MALFORMED',
    });
    expect(await readdir(temporary)).toEqual([]);
  });
});

/** The folders of the layouts of an artifact that holds one in each of these. */
async function foldersOf(...folders: string[]): Promise<string[]> {
  const files = new Map(folders.flatMap((folder) => [...imageFiles(IMAGE, 'app:1', folder)]));
  const { artifact } = await open(await fakeWith({}, zip(zipped(files))));
  return artifact.layouts.map(({ folder }) => folder);
}

describe('the layouts of an artifact', () => {
  test("are the job's own, where it is there", async () => {
    expect(await foldersOf('.drayage/99', '.drayage/123', 'fixtures/layout')).toEqual(['.drayage/123']);
  });

  test('else all of them, wherever they are', async () => {
    expect(await foldersOf('out/b', 'out/a')).toEqual(['out/a', 'out/b']);
  });

  test('have their images, by name and by digest', async () => {
    const { artifact } = await open(await fakeWith({}, zip(zipped(imageFiles(IMAGE, 'app:1')))));
    const [layout] = artifact.layouts;
    expect(await layout?.images()).toMatchObject([{ names: ['app:1'], root: { digest: IMAGE.root.digest } }]);
    expect(await layout?.resolve(IMAGE.config.digest)).toMatchObject([{ names: ['app:1'] }]);
    await expect(layout?.resolve('api')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      facts: { candidates: ['app:1'] },
    });
  });
});
