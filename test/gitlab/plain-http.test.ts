import { Agent } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { Authority } from '../support/certificates.ts';
import { FakeGitLab, JOB_TOKEN } from '../support/fake-gitlab.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A GitLab with TLS, whose storage has none. */
async function start(): Promise<{ fake: FakeGitLab; storage: FakeGitLab; dispatcher: Agent; host: string }> {
  const authority = new Authority();
  const fake = await FakeGitLab.start({ tls: authority.issue({ names: ['127.0.0.1'] }) });
  const storage = await FakeGitLab.start();
  const { host } = new URL(storage.url);
  fake.faults.api = (_, response) =>
    void response.writeHead(302, { location: `http://${host}/bucket/7?signature=1` }).end();
  const dispatcher = new Agent({ connect: { ca: authority.cert } });
  onTestFinished(() => dispatcher.destroy());
  return { fake, storage, dispatcher, host };
}

test('a redirect from https to plain http is refused, and named', async () => {
  const { fake, storage, dispatcher, host } = await start();
  await using gitlab = new GitLab({ url: fake.url, jobToken: JOB_TOKEN, dispatcher });
  const job = await gitlab.findJob({ jobId: '7' });
  const opening = gitlab.openArtifact(job, { temporary: await temporaryFolder() });
  await expect(opening).rejects.toMatchObject({
    code: 'UNSAFE',
    facts: { reason: 'PLAIN_HTTP', name: host },
  });
  expect(storage.seen).toEqual([]);
});

test.each([(host: string) => host, (host: string) => host.replace(/:\d+$/, '')])(
  'a redirect to plain http is followed to a host that is named (%#)',
  async (named) => {
    const { fake, storage, dispatcher, host } = await start();
    const plainHttp = new Set([named(host)]);
    await using gitlab = new GitLab({ url: fake.url, jobToken: JOB_TOKEN, dispatcher, plainHttp });
    const job = await gitlab.findJob({ jobId: '7' });
    const opening = gitlab.openArtifact(job, { temporary: await temporaryFolder() });
    await expect(opening).rejects.not.toMatchObject({ code: 'UNSAFE' });
    expect(storage.seen.length).toBeGreaterThan(0);
  },
);
