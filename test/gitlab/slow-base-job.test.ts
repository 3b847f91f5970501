import type { ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { beforeEach, expect, test } from 'vitest';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { zip } from '../support/zip-bytes.ts';
import { layoutFiles, named, noise, zipped } from './artifacts.ts';

/** Behind what is read of the end of an archive at once. */
const LARGE = noise(3_000_017);
const QUERY = { name: 'build', project: '12', ref: 'main' };

const ARCHIVE = zip(zipped(layoutFiles(named([LARGE])), { method: 'stored' }));

/** Ways of a reply that never ends. */
const WAYS: Readonly<Record<string, (response: ServerResponse, range: string | undefined) => void>> = {
  'says nothing': () => {},
  'sends its body byte by byte': (response, range) => {
    const headers = { 'content-range': `${range?.replace('=', ' ')}/${ARCHIVE.length}` };
    response.writeHead(range === undefined ? 200 : 206, range === undefined ? {} : headers);
    const timer = setInterval(() => response.write(' '), 10);
    response.once('close', () => clearInterval(timer));
  },
};

let fake: FakeGitLab;
beforeEach(async () => {
  fake = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive: ARCHIVE }], describes: true });
});

function client(): GitLab {
  return new GitLab({ url: fake.url, jobToken: JOB_TOKEN, retry: { attempts: 1 }, idleTimeout: 150 });
}

/** The server that is slow, and the part of its addresses that is. */
const PLACES = [
  ['api', '/artifacts/main/'],
  ['api', '/jobs/123'],
  ['storage', ''],
] as const;

test.each(Object.keys(WAYS).flatMap((way) => PLACES.map(([server, part]) => [way, server, part] as const)))(
  'a base job is given up where GitLab %s: %s %s',
  async (way, server, part) => {
    await using gitlab = client();
    fake.faults[server] = ({ url, headers }, response) =>
      url?.includes(part) === true ? WAYS[way]?.(response, headers.range) : 'pass';
    await expect(gitlab.locateArtifact(QUERY)).rejects.toMatchObject({
      code: 'TIMEOUT',
      facts: { reason: 'IDLE' },
    });
  },
);

test.each(Object.keys(WAYS))('so is a layer of a base job whose storage %s', async (way) => {
  await using gitlab = client();
  const { artifact } = await gitlab.locateArtifact(QUERY);
  fake.faults.storage = ({ headers }, response) => WAYS[way]?.(response, headers.range);
  const reading = artifact.layouts[0]!.open(describeBytes(LARGE)).then(buffer);
  await expect(reading).rejects.toMatchObject({ code: 'TIMEOUT', facts: { reason: 'IDLE' } });
});
