import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { lazyGitLab } from '../../src/cli/lazy-gitlab.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { contextOf } from './contexts.ts';

test('a connection that is being made when everything is closed is closed as well', async () => {
  const fake = await FakeGitLab.start({ jobs: [{ id: 7, name: 'build', archive: Buffer.from('zip') }] });
  const env = { CI_API_V4_URL: fake.url, CI_JOB_TOKEN: JOB_TOKEN, CI_SERVER_TLS_CA_FILE: '/absent.pem' };
  const [context, stop] = [contextOf(env), new AbortController()];
  const lazy = lazyGitLab({}, { ...context, signal: stop.signal });
  const finding = lazy.findJob({ project: '1', pipeline: '2', name: 'build' });
  await lazy[Symbol.asyncDispose]();
  // It was made, with a note about the certificates, and nothing is sent over it.
  expect(context.notes).toHaveLength(1);
  for (let i = 0; i < 50; i++) await turn();
  expect(fake.seen).toEqual([]);
  stop.abort(new Error('enough'));
  await expect(finding).rejects.toThrow('enough');
});

test('one that cannot be made closes without an error', async () => {
  const lazy = lazyGitLab({}, contextOf());
  await expect(lazy.findJob({ project: '1', jobId: '7' })).rejects.toMatchObject({ code: 'USAGE' });
  await lazy[Symbol.asyncDispose]();
});
