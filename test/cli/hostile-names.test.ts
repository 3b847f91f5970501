import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { makeCargo } from '../docker/cargo.ts';
import type { CliResult } from '../support/cli.ts';
import { drayage } from '../support/cli.ts';
import { FakeDaemon, json } from '../support/fake-daemon.ts';
import { githubJob } from '../support/github-job.ts';
import { JobChain } from '../support/job-chain.ts';

/** A title, a C1 sequence, text in the other direction, a further line, and what would widen an option. */
const HOSTILE = '\u001B]0;x\u0007\u009B31m\u202Eevil\u2066\r\nsection_start:1:x\r --all, any';
/** Control, C1 and direction characters, but not the end of a line. */
const UNSEEN = /[^\P{Cc}\n]|\p{Cf}/u;
const ID = `sha256:${'c'.repeat(64)}`;
const INFO = {
  ID: `ID${HOSTILE}`,
  Name: `NAME${HOSTILE}`,
  DockerRootDir: `/var${HOSTILE}`,
  DriverStatus: [],
};

let chain: JobChain;
beforeEach(async () => {
  chain = await JobChain.start();
});

/** Expects that no line of a run, in any form, has unseen characters, and that it says this. */
async function told(
  args: readonly string[],
  { code, says, env }: { code: number; says: string; env: Record<string, string> },
): Promise<CliResult[]> {
  const results: CliResult[] = [];
  for (const form of [['--debug'], ['--json']]) {
    const result = await drayage([...args, ...form], { cwd: chain.cwd, env });
    const lines = result.stdout + result.stderr;
    expect({ form, code: result.code, lines }).toEqual({ form, code, lines: expect.stringContaining(says) });
    expect(lines).not.toMatch(UNSEEN);
    expect(lines).not.toMatch(/^section_start/m);
    results.push(result);
  }
  return results;
}

describe('the name of a daemon is escaped', () => {
  let daemon: FakeDaemon;
  let host: string[];
  beforeEach(async () => {
    const image = { id: ID, names: ['app:1'], diffIds: [`sha256:${'1'.repeat(64)}`] };
    daemon = await FakeDaemon.start({ images: [image] });
    daemon.handlers.set('GET /info', (_, response) => json(response, INFO));
    host = ['--host', daemon.host];
  });

  test('in what save, verify, inspect, load and doctor say of a reference', async () => {
    const env = chain.envOf('3');
    const ok = { code: 0, says: 'NAME', env };
    await told(['doctor', '--sticky', 'app:1', ...host], ok);
    await told(['save', '--sticky', 'app:1', ...host], ok);
    await told(['verify'], ok);
    await told(['inspect'], ok);
    daemon.handlers.set('GET /info', (_, response) => json(response, { ...INFO, Name: `OTHER${HOSTILE}` }));
    await told(['load', ...host], { code: 3, says: 'OTHER', env });
    for (const file of ['report.env', 'annotations.json'])
      expect(await readFile(join(chain.cwd, '.drayage', file), 'utf8')).not.toMatch(UNSEEN);
  });
});

/** Has GitLab list jobs that have not run in any pipeline. */
function listJobs(...names: string[]): void {
  chain.gitlab.faults.api = ({ url }, response) => {
    if (url?.includes('/pipelines/') !== true) return 'pass';
    const jobs = names.map((name, i) => ({ id: i + 1, name, status: 'manual' }));
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(jobs));
    return undefined;
  };
}

describe('what GitLab says is escaped', () => {
  test('where a pipeline has other jobs, and no hint names one that cannot be seen', async () => {
    listJobs(HOSTILE, `build: [${HOSTILE}]`);
    const env = chain.envOf('3');
    const [text] = await told(['load', '--job', 'build', '--to', 'docker-archive:x.tar'], {
      code: 2,
      says: 'evil',
      env,
    });
    expect(text?.stderr).not.toContain('--job');
  });

  test('where a base job cannot be used', async () => {
    chain.gitlab.faults.api = (_, response) =>
      void response.writeHead(400).end(JSON.stringify({ message: HOSTILE }));
    await chain.build(makeCargo({ layers: ['base', 'one'] }));
    const env = chain.envOf('3');
    await told(['save', '--from', 'built', '--base-job', `build${HOSTILE}`], { code: 0, says: 'evil', env });
  });
});

test('what GitHub states is escaped, and adds no line to the outputs of a step', async () => {
  const output = join(chain.cwd, 'output');
  const env = githubJob({ GITHUB_OUTPUT: output });
  await chain.build(makeCargo({ layers: ['base', 'one'] }));
  await told(['save', '--from', 'built'], { code: 0, says: 'app:1', env });
  expect(await readFile(output, 'utf8')).toMatch(/^(?:DRAYAGE_APP_(?:REF|ID|DIGEST)=[\w.:-]+\n)+$/);
  for (const name of ['GITHUB_REF_NAME', 'GITHUB_JOB']) {
    const odd = { ...env, [name]: HOSTILE };
    await told(['save', '--from', 'built'], { code: 2, says: `${name} is malformed`, env: odd });
  }
});
