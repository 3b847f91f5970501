/** Pipelines of GitLab on this machine: gitlab-ci-local runs their jobs, each in a workspace of its own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import type { FakeJob } from '../../support/fake-gitlab.ts';
import { zip } from '../../support/zip-bytes.ts';
import { COMPOSE_FOLDER, KIND_SPECS, PLUGIN_FOLDER } from './daemon-kinds.ts';
import type { CommandResult } from './run-command.ts';
import { run } from './run-command.ts';

const require = createRequire(import.meta.url);
const RUNNER = require.resolve('gitlab-ci-local');

/** Where the programs of the machine are. */
export const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

/** A program that needs nothing else, so that an image of it alone runs. */
export const BUSYBOX: string = join(KIND_SPECS['docker-28-containerd'].root, 'usr/bin/busybox');

/**
 * The runner draws the ID of each job out of a million, and two of a dozen and a half have drawn the same: then one artifact
 * lies over the other, which GitLab's IDs rule out. Here no number comes twice.
 */
const drawnOnce = (first: number): string =>
  `let drawn = ${first}; Math.random = () => (drawn++ + 0.5) / 1_000_000;`;

/** How a pipeline is run. */
export interface PipelineOptions {
  /** A folder for the programs of the jobs, and their home. */
  folder: string;
  /** The variables of all jobs. */
  variables: Readonly<Record<string, string>>;
  /** More programs of the jobs: shell scripts by name. */
  programs?: Readonly<Record<string, string>>;
  /** The ID of its first job. Default 100 000. */
  firstJob?: number | undefined;
}

/** Runs the pipeline of a repository. Its jobs have `node`, and the client of docker 28 with its plugins. */
export async function runPipeline(
  repository: string,
  { folder, variables, programs = {}, firstJob = 100_000 }: PipelineOptions,
): Promise<CommandResult> {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, join(bin, 'node'));
  await symlink(KIND_SPECS['docker-28-containerd'].client, join(bin, 'docker'));
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(bin, name), 0o755);
  }
  const config = join(folder, 'docker');
  await mkdir(config);
  const plugins = JSON.stringify({ cliPluginsExtraDirs: [PLUGIN_FOLDER, COMPOSE_FOLDER] });
  await writeFile(join(config, 'config.json'), plugins);
  const all = { GITLAB_CI: 'true', DOCKER_CONFIG: config, ...variables };
  const args = Object.entries(all).flatMap(([name, value]) => ['--variable', `${name}=${value}`]);
  const mode = ['--force-shell-executor', '--shell-isolation', '--no-artifacts-to-source'];
  // It takes no absolute path.
  const cwd = relative(process.cwd(), repository);
  const node = [`--import=data:text/javascript,${drawnOnce(firstJob)}`, RUNNER];
  return run(process.execPath, [...node, '--cwd', cwd, ...mode, ...args], {
    env: { PATH: `${bin}:${SYSTEM_PATH}`, HOME: folder },
  });
}

/** Lists the jobs of a pipeline, after it was held against GitLab's schema. */
export async function listJobs(repository: string, home: string): Promise<CommandResult> {
  const cwd = relative(process.cwd(), repository);
  return run(process.execPath, [RUNNER, '--cwd', cwd, '--list'], { env: { PATH: SYSTEM_PATH, HOME: home } });
}

/** What a job printed, without the name in front. */
export function printedBy(job: string, { stdout, stderr }: CommandResult): string[] {
  return `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => line.startsWith(`${job} `))
    .flatMap((line) => / [>$] (.*)$/.exec(line.slice(job.length))?.[1] ?? []);
}

/** Makes a repository of a folder, whose files are all committed. */
export async function commitAll(repository: string, home: string): Promise<void> {
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@gitlab.example'];
  for (const args of [
    ['init', '--quiet', '--initial-branch=main'],
    ['remote', 'add', 'origin', 'https://gitlab.example/group/app.git'],
    ['add', '--all'],
    [...identity, 'commit', '--quiet', '--message=Test'],
  ]) {
    const env = { PATH: SYSTEM_PATH, HOME: home };
    const { code, stderr } = await run('git', ['-C', repository, ...args], { env });
    if (code !== 0) throw new Error(`git ${args.join(' ')} ended with ${code}: ${stderr}`);
  }
}

/** Whether what pipelines need is there; the script that installs it is to have run where system tests are required. */
export function hasPipelinePrograms(): boolean {
  const programs = [
    ...['git', 'rsync', 'docker-compose'].map((name) => `/usr/bin/${name}`),
    join(COMPOSE_FOLDER, 'docker-compose'),
  ];
  const missing = programs.filter((path) => !existsSync(path));
  if (missing.length > 0 && process.env['DRAYAGE_REQUIRE_SYSTEM'] === '1')
    throw new Error(`${missing.join(', ')} missing: run scripts/install-system.sh`);
  return missing.length === 0;
}

/** The artifact of a job that has run in this folder, as GitLab has it. */
export function artifactOf(job: string, folder: string): FakeJob[] {
  const artifact = join(folder, 'app/.gitlab-ci-local/artifacts', job);
  const paths = readdirSync(artifact, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const files = paths.map((path) => ({ path: relative(artifact, path), bytes: readFileSync(path) }));
  const id = files
    .map(({ path }) => /^\.drayage\/(\d+)\//.exec(path)?.[1])
    .find((found) => found !== undefined);
  return [{ id: Number(id), name: job, archive: zip(files) }];
}
