import { expect, test } from 'vitest';
import { compareRuns, originAnnotations } from '../../src/ci/origin.ts';
import { readOrigin as readGitHubOrigin } from '../../src/ci/github/job.ts';
import { githubJob } from '../support/github-job.ts';
import { ORIGIN } from '../support/gitlab-job.ts';

const github = (run: string, attempt: string): Record<string, string> =>
  originAnnotations(readGitHubOrigin(githubJob({ GITHUB_RUN_ID: run, GITHUB_RUN_ATTEMPT: attempt })));
const gitlab = (pipelineId: string, jobId: string): Record<string, string> =>
  originAnnotations({ ...ORIGIN, pipelineId, jobId });

test.each([
  [
    'the first attempt of a new run counts over the second of an old one',
    github('77', '2'),
    github('78', '1'),
  ],
  ['attempts of one run are ordered by number', github('77', '9'), github('77', '10')],
  ['runs are ordered by number', github('99', '1'), github('100', '1')],
  ['IDs of jobs are ordered by number', gitlab('4711', '99'), gitlab('4711', '100')],
  ['IDs of jobs grow across pipelines', gitlab('4712', '200'), gitlab('4711', '300')],
  ['an origin without a run is the earliest', {}, github('77', '1')],
  [
    'an origin with a malformed run is the earliest',
    { ...github('78', '1'), 'dev.drayage.github.run': 'x' },
    github('77', '1'),
  ],
])('%s', (_, earlier, later) => {
  expect([compareRuns(earlier, later), compareRuns(later, earlier)]).toEqual([-1, 1]);
  expect(compareRuns(later, later)).toBe(0);
});
