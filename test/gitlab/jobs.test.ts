import { describe, expect, onTestFinished, test } from 'vitest';
import type { GitLabOptions } from '../../src/gitlab/api.ts';
import type { FoundJob, JobQuery } from '../../src/gitlab/jobs.ts';
import type { FakeGitLabOptions, FakeJob } from '../support/fake-gitlab.ts';
import { FakeGitLab, TOKEN } from '../support/fake-gitlab.ts';
import { clientOf } from './artifacts.ts';

const archive = Buffer.from('zip');
const BUILD: FakeJob = { id: 7, name: 'build', archive };
const QUERY: JobQuery = { name: 'build', project: 'group/app', pipeline: '4711' };

async function find(
  options: FakeGitLabOptions,
  query: JobQuery = QUERY,
  client: Partial<GitLabOptions> = {},
): Promise<FoundJob> {
  const fake = await FakeGitLab.start(options);
  const gitlab = clientOf(fake, client);
  onTestFinished(() => gitlab[Symbol.asyncDispose]());
  return gitlab.findJob(query);
}

describe('a job', () => {
  test.each<[string, FakeGitLabOptions, Partial<GitLabOptions>]>([
    ['the job token', {}, {}],
    ['the personal token, where the job token may not', { mayList: ['private-token'] }, { token: TOKEN }],
    ['the personal token alone', {}, { jobToken: undefined, token: TOKEN }],
  ])('is found in its pipeline with %s', async (_, options, client) => {
    const found = await find({ jobs: [BUILD, { ...BUILD, id: 8, name: 'test' }], ...options }, QUERY, client);
    expect(found).toEqual({ kind: 'id', jobId: '7', project: 'group/app' });
  });

  test('that was retried is the latest one', async () => {
    const jobs = [BUILD, { ...BUILD, id: 30 }, { ...BUILD, id: 9 }];
    expect(await find({ jobs })).toMatchObject({ jobId: '30' });
  });

  test('is found among many pages of others', async () => {
    const others = Array.from({ length: 250 }, (_, i) => ({ ...BUILD, id: i + 100, name: `test ${i}` }));
    expect(await find({ jobs: [...others, BUILD] })).toMatchObject({ jobId: '7' });
  });

  test('by its ID is not asked for', async () => {
    const fake = await FakeGitLab.start();
    const found = await clientOf(fake).findJob({ jobId: '7', project: '12' });
    expect([found, fake.seen]).toEqual([{ kind: 'id', jobId: '7', project: '12' }, []]);
  });

  test('by a branch is left to GitLab', async () => {
    const found = await find({}, { name: 'build', project: '12', ref: 'main' });
    expect(found).toEqual({ kind: 'ref', name: 'build', project: '12', ref: 'main' });
  });

  test('whose pipeline no token may list: what to set is said, and no other pipeline is taken', async () => {
    const fake = await FakeGitLab.start({ jobs: [BUILD], mayList: [] });
    await expect(clientOf(fake).findJob(QUERY)).rejects.toMatchObject({
      code: 'DENIED',
      facts: {
        status: 403,
        reason: 'JOB_TOKEN_CANNOT_LIST',
        hint: expect.stringContaining('needs: [build]') as string,
      },
    });
    expect(fake.seen).toHaveLength(1);
  });

  test.each<[string, FakeJob[], string, RegExp]>([
    ['of another name', [BUILD, { ...BUILD, name: 'deploy' }], 'NOT_FOUND', /build, deploy/],
    ['that still runs', [{ id: 7, name: 'buildx', status: 'running' }], 'NOT_FOUND', /artifacts: false/],
    ['whose artifact is gone', [{ id: 7, name: 'buildx', expireAt: '2026-01-01' }], 'NOT_FOUND', /expire_in/],
    [
      'that runs in parallel',
      [
        { ...BUILD, name: 'buildx 1/2' },
        { ...BUILD, name: 'buildx 2/2' },
      ],
      'AMBIGUOUS',
      /buildx 1\/2/,
    ],
    ['of a matrix', [{ ...BUILD, name: 'buildx: [a, b]' }], 'AMBIGUOUS', /buildx: \[a, b\]/],
    ['in a pipeline without jobs', [], 'NOT_FOUND', /no jobs/],
  ])('%s is an error that says so', async (_, jobs, code, hint) => {
    await expect(find({ jobs }, { ...QUERY, name: 'buildx' })).rejects.toMatchObject({
      code,
      facts: { hint: expect.stringMatching(hint) as string },
    });
  });

  test('is asked for again where GitLab has too much to do', async () => {
    const fake = await FakeGitLab.start({ jobs: [BUILD] });
    fake.faults.api = (_, response) => {
      delete fake.faults.api;
      response.writeHead(429, { 'retry-after': '3' }).end();
    };
    const client = clientOf(fake);
    expect(await client.findJob(QUERY)).toMatchObject({ jobId: '7' });
    expect(client.pauses).toEqual([3000]);
  });

  test('is not looked for in what is no list of jobs', async () => {
    const fake = await FakeGitLab.start();
    fake.faults.api = (_, response) => void response.writeHead(200).end('<html>please sign in</html>');
    await expect(clientOf(fake).findJob(QUERY)).rejects.toMatchObject({ code: 'MALFORMED' });
  });
});

test.each(['gitlab.example', 'ftp://gitlab.example/api/v4', 'https://user:secret@gitlab.example/api/v4'])(
  '%s is no address of an API',
  async (url) => {
    const fake = await FakeGitLab.start();
    expect(() => clientOf(fake, { url })).toThrow('not the address');
  },
);
