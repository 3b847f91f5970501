import { expect, test } from 'vitest';
import { GitLab } from '../../src/gitlab/gitlab.ts';
import { FakeGitLab, JOB_TOKEN, TOKEN } from '../support/fake-gitlab.ts';

type Answers = Record<string, unknown>;

/** Asks a GitLab that answers some paths, and refuses all others. */
async function limit(answers: Answers): Promise<[unknown, string[]]> {
  const fake = await FakeGitLab.start();
  fake.faults.api = ({ url = '' }, response) => {
    const answer = answers[url.replace('/api/v4/', '')];
    response.writeHead(answer === undefined ? 403 : 200).end(JSON.stringify(answer ?? {}));
  };
  await using gitlab = new GitLab({ url: fake.url, token: TOKEN });
  return [await gitlab.artifactLimit('group/app'), fake.seen.map(({ url }) => url.replace('/api/v4/', ''))];
}

const PROJECT = 'projects/group%2Fapp';
const inGroup = { namespace: { id: 3, kind: 'group' } };
const MIB = 1024 ** 2;

test.each<[string, Answers, unknown]>([
  ['the project', { [PROJECT]: { max_artifacts_size: 5, ...inGroup } }, { bytes: 5 * MIB, setBy: 'project' }],
  [
    'its group',
    {
      [PROJECT]: { max_artifacts_size: null, ...inGroup },
      'groups/3': { max_artifacts_size: 7, parent_id: 2 },
    },
    { bytes: 7 * MIB, setBy: 'group' },
  ],
  [
    'a group above',
    {
      [PROJECT]: inGroup,
      'groups/3': { parent_id: 2 },
      'groups/2': { max_artifacts_size: 9, parent_id: null },
    },
    { bytes: 9 * MIB, setBy: 'group' },
  ],
  [
    'the instance',
    {
      [PROJECT]: { namespace: { id: 8, kind: 'user' } },
      'application/settings': { max_artifacts_size: 100 },
    },
    { bytes: 100 * MIB, setBy: 'instance' },
  ],
])('the nearest limit counts: that of %s', async (_, answers, expected) => {
  expect((await limit(answers))[0]).toEqual(expected);
});

test.each<[string, Answers]>([
  ['the project', {}],
  ['the group', { [PROJECT]: inGroup, 'application/settings': { max_artifacts_size: 100 } }],
  ['the instance', { [PROJECT]: {} }],
])('nothing is said where the token may not see %s', async (_, answers) => {
  expect((await limit(answers))[0]).toBeUndefined();
});

test('groups in a circle end', async () => {
  const [found, asked] = await limit({ [PROJECT]: inGroup, 'groups/3': { parent_id: 3 } });
  expect(found).toBeUndefined();
  expect(asked.length).toBeLessThan(30);
});

test('a size that is none is refused', async () => {
  await expect(limit({ [PROJECT]: { max_artifacts_size: -1 } })).rejects.toMatchObject({ code: 'MALFORMED' });
});

test('nobody is asked with a job token alone', async () => {
  const fake = await FakeGitLab.start();
  await using gitlab = new GitLab({ url: fake.url, jobToken: JOB_TOKEN });
  expect(await gitlab.artifactLimit('12')).toBeUndefined();
  expect(fake.seen).toEqual([]);
});
