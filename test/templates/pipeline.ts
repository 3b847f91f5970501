/** What GitLab makes of a component and the jobs that use it, and what a runner makes of such a job. */
import { spawn } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { CollectionTag } from 'yaml';
import { parseAllDocuments } from 'yaml';

/** An input of a component. */
export interface Input {
  description: string;
  /** Absent where the input has to be given. */
  default?: string;
  regex?: string;
  options?: string[];
}

/** A job after all has been merged. */
export interface Job {
  variables?: Record<string, string>;
  before_script?: string[];
  script?: string[];
  after_script?: string[];
  artifacts?: { paths?: string[]; reports?: Record<string, string>; expire_in?: string; access?: string };
  retry?: { max: number; exit_codes: number[] };
  resource_group?: string;
}

type Mapping = Record<string, unknown>;

/** `!reference [job, key, …]` */
class Reference {
  readonly path: readonly string[];

  constructor(path: readonly string[]) {
    this.path = path;
  }
}

const referenceTag: CollectionTag = {
  tag: '!reference',
  collection: 'seq',
  resolve: (seq) => new Reference(seq.toJSON() as string[]),
};

/** The documents of a YAML file. */
export function documents(source: string): Mapping[] {
  return parseAllDocuments(source, { customTags: [referenceTag] }).map((document) => {
    if (document.errors[0] !== undefined) throw document.errors[0];
    return document.toJS() as Mapping;
  });
}

/** The inputs that a component declares in its header. */
export function inputsOf([header]: Mapping[]): Record<string, Input> {
  return (header as { spec: { inputs: Record<string, Input> } }).spec.inputs;
}

/**
 * Merges a component and a pipeline: the inputs first, then `extends`, which merges mappings and replaces lists, then
 * references. Scripts are made flat, as GitLab does with them and with nothing else.
 */
export function merge(
  component: Mapping[],
  given: Record<string, string>,
  pipeline: string,
): Map<string, Job> {
  const inputs = Object.entries(inputsOf(component)).flatMap(([name, { default: value }]) =>
    value === undefined ? [] : [[name, value] as const],
  );
  const values = { ...Object.fromEntries(inputs), ...given };
  const all = { ...(interpolate(component[1], values) as Mapping), ...documents(pipeline)[0] };
  const extended = Object.fromEntries(Object.keys(all).map((name) => [name, extend(all, name)]));
  return new Map(Object.entries(extended).map(([name, job]) => [name, flat(dereference(job, extended))]));
}

function interpolate(node: unknown, values: Record<string, string>): unknown {
  if (typeof node === 'string') {
    return node.replaceAll(/\$\[\[ inputs\.(\w+) \]\]/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`no input ${name}`);
      return value;
    });
  }
  return mapNode(node, (child) => interpolate(child, values));
}

function extend(all: Mapping, name: string): unknown {
  const { extends: bases = [], ...own } = all[name] as Mapping;
  const merged = [bases]
    .flat()
    .reduce<Mapping>((base, other) => deepMerge(base, extend(all, other as string)), {});
  return deepMerge(merged, own);
}

function deepMerge(base: unknown, own: unknown): Mapping {
  const merged = { ...(base as Mapping) };
  for (const [key, value] of Object.entries(own as Mapping)) {
    merged[key] = isMapping(merged[key]) && isMapping(value) ? deepMerge(merged[key], value) : value;
  }
  return merged;
}

function dereference(node: unknown, all: Mapping): unknown {
  if (!(node instanceof Reference)) return mapNode(node, (child) => dereference(child, all));
  let found: unknown = all;
  for (const key of node.path) found = (found as Mapping | undefined)?.[key];
  if (found === undefined) throw new Error(`!reference [${node.path.join(', ')}] leads nowhere`);
  return dereference(found, all);
}

function flat(job: unknown): Job {
  const fields = Object.entries(job as Mapping).map(([key, value]) => [
    key,
    key.endsWith('script') ? [value].flat(10) : value,
  ]);
  return Object.fromEntries(fields) as Job;
}

function mapNode(node: unknown, change: (child: unknown) => unknown): unknown {
  if (Array.isArray(node)) return node.map(change);
  if (!isMapping(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, change(value)]));
}

function isMapping(node: unknown): node is Mapping {
  return typeof node === 'object' && node !== null && !Array.isArray(node) && !(node instanceof Reference);
}

/** What a job left behind. */
export interface Ran {
  code: number;
  output: string;
}

/**
 * Runs a job as the runner does: `before_script` and `script` in one shell that ends with the first failure, `after_script` in
 * another one whose failure nobody sees.
 */
export async function runJob(job: Job, folder: string, env: Record<string, string>): Promise<Ran> {
  await mkdir(folder, { recursive: true });
  const variables = { ...job.variables, ...env, CI_PROJECT_DIR: folder };
  const ran = await shell([...(job.before_script ?? []), ...(job.script ?? [])], folder, variables);
  const after = await shell(job.after_script ?? [], folder, variables);
  return { code: ran.code, output: ran.output + after.output };
}

/** Takes a job's artifact into another job's folder; that no file matches is no failure. */
export async function ship(job: Job, from: string, to: string, env: Record<string, string>): Promise<void> {
  for (const pattern of job.artifacts?.paths ?? []) {
    if (typeof pattern !== 'string') throw new Error('artifacts:paths has to be a list of texts');
    const path = pattern.replaceAll(/\$(\w+)/g, (_, name: string) => env[name] ?? '');
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(from, path), join(to, path), { recursive: true }).catch(() => {});
  }
}

async function shell(lines: readonly string[], cwd: string, env: Record<string, string>): Promise<Ran> {
  const child = spawn('sh', ['-e', '-c', lines.join('\n')], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  const [code, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { code, output: stdout + stderr };
}
