import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { SaveResult } from '../../src/index.ts';
import type { TestCargo } from '../docker/cargo.ts';
import type { CliResult } from './cli.ts';
import { drayage } from './cli.ts';
import type { FakeGitLabOptions, FakeJob } from './fake-gitlab.ts';
import { FakeGitLab, JOB_TOKEN } from './fake-gitlab.ts';
import { gitlabJob } from './gitlab-job.ts';
import { listFiles } from './list-files.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { writeCargo } from './write-cargo.ts';
import type { ZipFileOptions } from './zip-bytes.ts';
import { zip } from './zip-bytes.ts';

/** Long after every test. */
const FAR = '2999-01-01T00:00:00.000Z';

/** How the runner compresses the files of an artifact. */
export type ZipMethod = 'stored' | 'deflated';

/** What is kept of a job, and how. */
interface ShipOptions {
  expireAt?: string | undefined;
  method?: ZipMethod;
  folders?: readonly string[];
}

/** Pipelines in a row, whose build jobs save an image each and keep its artifact in a fake GitLab. */
export class JobChain {
  readonly cwd: string;
  readonly gitlab: FakeGitLab;
  /** The latest job comes first. */
  readonly jobs: FakeJob[];

  private constructor(cwd: string, gitlab: FakeGitLab, jobs: FakeJob[]) {
    this.cwd = cwd;
    this.gitlab = gitlab;
    this.jobs = jobs;
  }

  static async start(options: Omit<FakeGitLabOptions, 'jobs'> = { describes: true }): Promise<JobChain> {
    const jobs: FakeJob[] = [];
    return new JobChain(await temporaryFolder(), await FakeGitLab.start({ ...options, jobs }), jobs);
  }

  /** One for all tests of a file; {@link JobChain.close} ends it. */
  static async open(): Promise<JobChain> {
    const jobs: FakeJob[] = [];
    const cwd = await mkdtemp(join(tmpdir(), 'drayage-chain-'));
    return new JobChain(cwd, await FakeGitLab.open({ describes: true, jobs }), jobs);
  }

  async close(): Promise<void> {
    await this.gitlab.stop();
    await rm(this.cwd, { recursive: true });
  }

  /** Forgets faults, requests, files, and all jobs but these. */
  async reset(jobs: readonly FakeJob[]): Promise<void> {
    this.jobs.splice(0, Infinity, ...jobs);
    this.gitlab.seen.splice(0);
    Object.assign(this.gitlab.faults, { api: undefined, storage: undefined });
    for (const name of await readdir(this.cwd)) await rm(join(this.cwd, name), { recursive: true });
  }

  /** The environment of a build job; its server is the fake one, and its pipeline has the same ID. */
  envOf(id: string): Record<string, string> {
    return {
      ...gitlabJob(id, 'build'),
      CI_PIPELINE_ID: id,
      CI_DEFAULT_BRANCH: 'main',
      CI_API_V4_URL: this.gitlab.url,
      CI_JOB_TOKEN: JOB_TOKEN,
    };
  }

  async run(id: string, ...args: string[]): Promise<CliResult> {
    return drayage(args, { cwd: this.cwd, env: this.envOf(id) });
  }

  /** Makes the folder of an image that a job has built. */
  async build(cargo: TestCargo, path = 'built'): Promise<void> {
    await rm(join(this.cwd, path), { recursive: true, force: true });
    await writeCargo(join(this.cwd, path), cargo, 'app:1');
  }

  /** A job that builds an image, saves it, and whose artifact is kept. */
  async pipeline(
    id: string,
    cargo: TestCargo,
    options: readonly string[] = ['--base-job', 'build'],
    expireAt?: string,
  ): Promise<SaveResult & { stderr: string }> {
    await this.build(cargo);
    const saved = await this.save(id, '--from', 'built', ...options);
    await this.ship(id, { expireAt });
    return saved;
  }

  async save(id: string, ...args: string[]): Promise<SaveResult & { stderr: string }> {
    const result = await this.run(id, 'save', '--json', ...args);
    expect(result).toMatchObject({ code: 0 });
    return { ...(JSON.parse(result.stdout) as SaveResult), stderr: result.stderr };
  }

  /** Keeps folders, `.drayage/ID` by default, as the artifact of a job, and removes them here. */
  async ship(
    id: string,
    { expireAt = FAR, method, folders = [`.drayage/${id}`] }: ShipOptions = {},
  ): Promise<Buffer> {
    const members: ZipFileOptions[] = [];
    for (const folder of folders) {
      const files = (await listFiles(join(this.cwd, folder))).map(({ path }) => `${folder}/${path}`);
      for (const path of files.filter((name) => !name.includes('/.drayage-tmp')))
        members.push({ path, bytes: await readFile(join(this.cwd, path)), method });
      await rm(join(this.cwd, folder), { recursive: true });
    }
    const archive = zip(members);
    this.jobs.unshift({ id: Number(id), name: 'build', archive, expireAt });
    return archive;
  }

  /** Writes the image of a job as an archive. */
  async archive(id: string, ...args: string[]): Promise<CliResult> {
    return this.run(id, 'load', '--job', 'build', '--to', 'docker-archive:app.tar', ...args);
  }

  /** Has GitLab refuse the artifact of a job. */
  refuse(id: string, status: number): void {
    this.gitlab.faults.api = ({ url }, response) => {
      if (url?.includes(`/jobs/${id}/`) !== true) return 'pass';
      response.writeHead(status).end('{}');
      return undefined;
    };
  }
}
