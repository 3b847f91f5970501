import { generateKeyPairSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import ts from 'typescript';
import { describe, expect, onTestFinished, test } from 'vitest';
import * as image from '../../src/exports/image.ts';
import * as registry from '../../src/exports/registry.ts';
import * as drayage from '../../src/index.ts';
import { addSample, describeBytes, sampleImage } from '../../src/testing/sample-images.ts';
import { makeCargo } from '../docker/cargo.ts';
import { layoutFiles, zipped } from '../gitlab/artifacts.ts';
import { always, PLANTED } from '../registry/registries.ts';
import { FakeDaemon } from '../support/fake-daemon.ts';
import { FakeGitLab, TOKEN } from '../support/fake-gitlab.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { fixturePath } from '../support/fixtures.ts';
import { SIGNING_JOB } from '../support/gitlab-job.ts';
import { LastingDaemon } from '../support/lasting-daemon.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { zip } from '../support/zip-bytes.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SRC = join(ROOT, 'src');
const CARGO = makeCargo({ layers: ['base', 'app'], compress: false });
const PLACES = [
  'BlobCache',
  'connectDocker',
  'GitLab',
  'Layout',
  'MemoryStore',
  'ObjectStore',
  'Registries',
  'Registry',
];
const MODULES: Readonly<Record<string, unknown>> = {
  drayage,
  'drayage/image': image,
  'drayage/registry': registry,
};

/** What examples are given: those that they name without declaring it. */
const GIVEN = `
import type { Credentials, ImageEndpoint, ImageTags, LastingEndpoint, Layout, Registries } from 'drayage';
export interface Given {
  archive: string; credentials: Credentials; daemon: ImageEndpoint & ImageTags & LastingEndpoint; empty: Layout;
  env: Record<string, string>; file: string; folder: string; gitlabUrl: string; layout: Layout; other: Layout; pem: string;
  references: Layout; registries: Registries; registryHost: string; token: string;
}`;
const NAMES = [...GIVEN.matchAll(/(\w+): /g)].map(([, name]) => name);

interface Example {
  /** The function or the class that it shows. */
  name: string;
  text: string;
}

/** The examples in the doc comments of the sources. */
function examples(): Example[] {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  return files.flatMap((name) => {
    const text = readFileSync(join(SRC, name), 'utf8');
    const found = text.matchAll(
      / \* @example\n \* ```ts\n((?: \*.*\n)+?) \* ```\n \*\/\nexport (?:async function|function|class) (\w+)/g,
    );
    return [...found].map(([, lines = '', shown = '']) => ({
      name: shown,
      text: lines.replaceAll(/^ \* ?/gm, ''),
    }));
  });
}

/** A module with a function that runs the example. */
function moduleOf({ text }: Example): string {
  const lines = text.split('\n');
  const imports = lines.filter((line) => line.startsWith('import '));
  const body = lines.filter((line) => !line.startsWith('import '));
  return [
    "import type { Given } from './given.ts';",
    ...imports,
    `export async function run({ ${NAMES.join(', ')} }: Given): Promise<void> { {`,
    ...body,
    '} }',
  ].join('\n');
}

async function newLayout(): Promise<drayage.Layout> {
  return drayage.Layout.create(join(await temporaryFolder(), 'layout'));
}

async function servers(): Promise<{ registryHost: string; gitlabUrl: string; dockerHost: string }> {
  const blobs = [...CARGO.source.blobs.values()].map((bytes) => [describeBytes(bytes), bytes] as const);
  const annotations = { 'io.containerd.image.name': 'docker.io/library/app:1' };
  const files = layoutFiles(
    blobs.map(([blob, bytes]): [typeof blob, Uint8Array] => [blob, bytes]),
    { manifests: [{ ...CARGO.root, annotations }] },
  );
  const archive = zip(zipped(files, { method: 'stored' }));
  const gitlab = await FakeGitLab.start({ jobs: [{ id: 123, name: 'build', archive }] });
  const images = [{ id: CARGO.configDigest, names: ['app:1'], diffIds: CARGO.diffIds }];
  const docker = await FakeDaemon.start({ images });
  return { registryHost: (await FakeRegistry.start()).host, gitlabUrl: gitlab.url, dockerHost: docker.host };
}

/** Everything that an example may name. */
async function given(): Promise<Record<string, unknown>> {
  const daemon = new LastingDaemon();
  await daemon.hold(CARGO.root, CARGO.source, ['app:1']);
  const [layout, other, references] = [await newLayout(), await newLayout(), await newLayout()];
  await drayage.save({ from: daemon, images: ['app:1'], to: layout });
  await other.update((transaction) => addSample(transaction, sampleImage(['tools']), ['tools:1']));
  await drayage.saveReference({ from: daemon, images: ['app:1'], to: references });
  const { registryHost, gitlabUrl, dockerHost } = await servers();
  const credentials = always(PLANTED);
  const registries = new drayage.Registries(async () => ({ credentials }));
  onTestFinished(() => registries[Symbol.asyncDispose]());
  const tags = [`${registryHost}/group/app:1`, `${registryHost}/group/app:pr-12`];
  await drayage.copy({ from: layout, to: { registries, tags } });
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return {
    archive: fixturePath('demo.tar'),
    credentials,
    daemon,
    empty: await newLayout(),
    gitlabUrl,
    layout,
    other,
    references,
    registries,
    registryHost,
    token: TOKEN,
    env: { ...SIGNING_JOB, DOCKER_HOST: dockerHost },
    file: join(await temporaryFolder(), 'file'),
    folder: join(await temporaryFolder(), 'folder'),
    pem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

/** What the compiler says of the examples. */
function diagnose(all: readonly Example[]): unknown[] {
  const texts = new Map([[join(ROOT, 'given.ts'), GIVEN]]);
  for (const example of all) texts.set(join(ROOT, `example-${example.name}.ts`), moduleOf(example));
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => readFileSync(file, 'utf8')).config;
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const host = ts.createCompilerHost(options);
  const [readFile, fileExists] = [host.readFile.bind(host), host.fileExists.bind(host)];
  host.readFile = (file) => texts.get(file) ?? readFile(file);
  host.fileExists = (file) => texts.has(file) || fileExists(file);
  const settings = { ...options, noUnusedLocals: false, noUnusedParameters: false, incremental: false };
  const program = ts.createProgram([...texts.keys()], settings, host);
  const found = [...texts.keys()].flatMap((file) => [
    ...program.getSyntacticDiagnostics(program.getSourceFile(file)),
    ...program.getSemanticDiagnostics(program.getSourceFile(file)),
  ]);
  return found.map(({ file, messageText }) => [
    file?.fileName,
    ts.flattenDiagnosticMessageText(messageText, ' '),
  ]);
}

describe('the examples in doc comments', () => {
  const all = examples();

  test('show every verb and every place', () => {
    const index = readFileSync(join(SRC, 'index.ts'), 'utf8');
    const verbs = [
      ...index.matchAll(/^export \{ ([\w, ]+) \} from '\.\/verbs\/(?:(\w+)\/\2|[\w-]+)\.ts';$/gm),
    ];
    const names = verbs.flatMap(([, exported = '']) => exported.split(', '));
    expect(names.length).toBeGreaterThan(15);
    expect(all.map(({ name }) => name)).toEqual(expect.arrayContaining([...names, ...PLACES]));
  });

  // Here, because a busy machine may need longer than a test may take.
  const said = diagnose(all);

  test('are right for the compiler', () => {
    expect(said).toEqual([]);
  });

  test.each(all)('run: $name', async (example) => {
    const { outputText } = ts.transpileModule(moduleOf(example), {
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
    });
    const required = createRequire(import.meta.url);
    const exported: { run?: (names: Record<string, unknown>) => Promise<void> } = {};
    const load = compileFunction(outputText, ['require', 'exports', 'console']);
    load((name: string): unknown => MODULES[name] ?? required(name), exported, { log: () => {} });
    await expect(exported.run?.(await given())).resolves.toBeUndefined();
  });
});
