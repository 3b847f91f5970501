import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';

/** What a room may import beyond itself and the rooms of lower levels. */
interface Rule {
  level: number;
  /** Rooms of its own level that it may import. */
  also?: string[];
  /** Packages, and built-in modules as `node:name` without subpath. */
  packages?: string[];
}

/**
 * The allowed imports. A room is a file at the top of src, or a folder by at most two segments of its path: `oci`,
 * `verbs/save`. What is in a folder below that belongs to the same room.
 */
const TABLE: Record<string, Rule> = {
  errors: { level: 0, packages: ['node:util'] },
  disposal: { level: 0, packages: ['node:stream'] },
  text: { level: 0 },
  clock: { level: 0 },
  heap: { level: 0, packages: ['node:v8'] },
  'system-error': { level: 1 },
  budget: { level: 1, packages: ['node:async_hooks'] },
  progress: { level: 1 },
  undici: { level: 1, packages: ['undici'] },
  agent: { level: 2, packages: ['node:stream', 'undici'] },
  oci: { level: 1, also: ['budget'], packages: ['node:crypto', 'valibot'] },
  content: { level: 2, packages: ['node:stream'] },
  stream: {
    level: 2,
    packages: ['node:net', 'node:stream', 'node:timers', 'node:worker_threads', 'node:zlib', 'fzstd'],
  },
  disk: {
    level: 2,
    also: ['stream'],
    packages: ['node:crypto', 'node:fs', 'node:net', 'node:path', 'node:util'],
  },
  ingest: {
    level: 3,
    packages: ['node:worker_threads', 'node:fs', 'node:os', 'node:zlib', 'p-limit'],
  },
  http: { level: 3, packages: ['node:dns', 'node:net', 'node:stream', 'undici'] },
  ci: { level: 3, packages: ['node:crypto', 'valibot'] },
  'ci/gitlab': { level: 4, packages: ['valibot'] },
  'ci/github': { level: 4, packages: ['valibot'] },
  image: { level: 4, packages: ['node:stream', 'p-limit', 'valibot'] },
  listing: { level: 5 },
  cis: { level: 5 },
  'archive/tar': { level: 5, packages: ['node:stream', 'tar-stream'] },
  archive: { level: 6 },
  'archive/read': { level: 7, packages: ['node:stream', 'valibot'] },
  'archive/write': { level: 7, packages: ['node:stream'] },
  layout: {
    level: 8,
    packages: ['node:crypto', 'node:stream', 'node:fs', 'node:path', 'p-limit'],
  },
  edit: { level: 6 },
  testing: { level: 6, packages: ['node:assert', 'node:events', 'node:stream', 'node:zlib'] },
  memory: { level: 6, packages: ['node:stream'] },
  'docker/connect': {
    level: 4,
    packages: [
      'node:crypto',
      'node:stream',
      'node:fs',
      'node:path',
      'node:net',
      'node:tls',
      'node:child_process',
      'undici',
      'valibot',
    ],
  },
  'docker/images': { level: 6, packages: ['valibot'] },
  'docker/kinds': { level: 8, packages: ['node:stream'] },
  'docker/transfer': {
    level: 8,
    also: ['docker/kinds'],
    packages: ['node:crypto', 'node:stream', 'valibot'],
  },
  docker: { level: 8, also: ['docker/kinds', 'docker/transfer'], packages: ['node:stream'] },
  registry: {
    level: 8,
    packages: ['node:crypto', 'node:stream', 'node:child_process', 'valibot', 'p-limit'],
  },
  gitlab: { level: 8, packages: ['node:stream', 'node:fs', 'node:path', 'node:zlib', 'valibot', 'yauzl'] },
  attest: {
    level: 8,
    packages: [
      'node:crypto',
      'node:util',
      'valibot',
      'tweetnacl',
      '@sigstore/bundle',
      '@sigstore/protobuf-specs',
      '@sigstore/sign',
      '@sigstore/verify',
    ],
  },
  select: { level: 8 },
  'verbs/save': { level: 9, packages: ['node:stream', 'p-limit'] },
  'verbs/load': { level: 9, packages: ['node:crypto'] },
  'verbs/promote': { level: 9, packages: ['p-limit'] },
  'verbs/verify': { level: 9 },
  verbs: { level: 10, packages: ['node:stream'] },
  index: { level: 11 },
  exports: { level: 11 },
  'cli/doctor': { level: 12, also: ['cli'], packages: ['node:path'] },
  'cli/commands': { level: 12, also: ['cli', 'cli/doctor'], packages: ['node:path', 'node:stream'] },
  'cli/grammar': { level: 12, also: ['cli', 'cli/commands'], packages: ['commander'] },
  cli: {
    level: 12,
    also: ['cli/grammar'],
    packages: [
      'undici',
      'node:crypto',
      'node:fs',
      'node:net',
      'node:path',
      'node:os',
      'node:stream',
      'node:tls',
    ],
  },
};

/** The rooms that cli may import from besides its own. */
const OPEN_TO_CLI = ['index', 'errors', 'system-error', 'text', 'budget', 'disk', 'heap', 'undici', 'agent'];

/** Source files by their path in src: `oci/digest.ts`. */
export type Sources = ReadonlyMap<string, string>;

/** An import: `type` where it leaves no trace at run time. */
interface Import {
  specifier: string;
  kind: 'static' | 'dynamic' | 'type';
}

/** Every import that the table does not allow, one line each. */
export function forbiddenImports(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    importsOf(text)
      .filter((found) => !isAllowed(file, found))
      .map(({ specifier, kind }) => `${file}: ${kind} import of ${specifier}`),
  );
}

/** Every permission of the table that no import of these sources needs, one line each. */
export function unusedPermissions(sources: Sources): string[] {
  const needed = new Set<string>();
  for (const [file, text] of sources) {
    for (const { specifier } of importsOf(text)) {
      const need = neededPermission(file, specifier);
      if (need !== undefined) needed.add(`${roomOf(file)}: ${need}`);
    }
  }
  const rooms = new Set([...sources.keys()].map(roomOf));
  return Object.entries(TABLE).flatMap(([room, { also = [], packages = [] }]) => [
    ...(rooms.has(room) ? [] : [`${room}: no such room`]),
    ...[...also, ...packages].map((name) => `${room}: ${name}`).filter((line) => !needed.has(line)),
  ]);
}

/** Every import cycle, type-only imports included, one line each: `a.ts > b.ts > a.ts`. */
export function importCycles(sources: Sources): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' > '));
    if (path.includes(file) || done.has(file)) return;
    for (const { specifier } of importsOf(sources.get(file) ?? '')) {
      if (specifier.startsWith('.')) visit(resolve(file, specifier), [...path, file]);
    }
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  return cycles;
}

/**
 * The files and packages that are loaded with a file: what its static imports lead to, itself included. Packages and
 * built-in modules end the walk.
 */
export function loadedWith(sources: Sources, file: string): string[] {
  const loaded = new Set<string>();
  const visit = (name: string): void => {
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const { specifier, kind } of importsOf(sources.get(name) ?? '')) {
      if (kind !== 'static') continue;
      if (specifier.startsWith('.')) visit(resolve(name, specifier));
      else loaded.add(packageOf(specifier));
    }
  };
  visit(file);
  return [...loaded];
}

/** Every use of environment, arguments, working folder and wall clock outside cli and clock, one line each. */
export function ambientReads(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    isCli(roomOf(file)) || roomOf(file) === 'clock'
      ? []
      : nodesOf(text).flatMap((node) => ambient(node).map((what) => `${file}: ${what}`)),
  );
}

function isAllowed(file: string, { specifier, kind }: Import): boolean {
  const from = roomOf(file);
  const rule = TABLE[from];
  if (rule === undefined) return false;
  if (isCli(from) && specifier.startsWith('.') && !isLoadedInTime(file, { specifier, kind })) return false;
  const need = neededPermission(file, specifier);
  if (need !== undefined) return [...(rule.packages ?? []), ...(rule.also ?? [])].includes(need);
  const to = roomOf(resolve(file, specifier));
  if (isCli(from) && !isCli(to)) return OPEN_TO_CLI.includes(to);
  return to === from || TABLE[to] !== undefined;
}

/**
 * What is loaded later than the command that needs it, because most runs do not need it: an option or a failure decides.
 * By the file that loads it.
 */
const LOADED_LATER: Readonly<Record<string, readonly string[]>> = {
  'cli/main.ts': ['./report-error.ts'],
  'cli/commands/inspect.ts': ['../html.ts'],
  'cli/commands/load.ts': ['./load-to.ts', '../artifact-errors.ts'],
  'cli/commands/merge.ts': ['../artifact-errors.ts'],
  'cli/commands/promote.ts': ['../artifact-errors.ts'],
  'cli/places.ts': ['./artifact-errors.ts'],
  'cli/commands/save.ts': ['../sticky.ts'],
  'cli/lazy-gitlab.ts': ['./gitlab.ts'],
  'cli/dotenv-file.ts': ['./own-file.ts'],
  'cli/report-seals.ts': ['./own-file.ts'],
  'cli/reports.ts': ['./own-file.ts'],
  'cli/http.ts': ['./given-file.ts', './no-proxy.ts'],
  'cli/references.ts': ['./referred-images.ts'],
  'cli/save-request.ts': ['./built-images.ts', './signing.ts'],
  'cli/saving.ts': ['./built-images.ts'],
  'cli/sources.ts': ['./artifact-errors.ts', './job-sources.ts', './unpack.ts'],
  'cli/bases.ts': ['./registries.ts'],
  'cli/registry-hosts.ts': ['./registries.ts'],
  'cli/signatures.ts': ['./required-signatures.ts'],
};

/** A command is loaded by the grammar when it is chosen, and with it all that it needs but {@link LOADED_LATER}. */
function isLoadedInTime(file: string, { specifier, kind }: Import): boolean {
  const to = roomOf(resolve(file, specifier));
  if (LOADED_LATER[file]?.includes(specifier) === true) return kind !== 'static';
  if (roomOf(file) !== 'cli/grammar') return kind !== 'dynamic';
  return to === 'cli/commands' ? kind !== 'static' : kind === 'type' || (kind === 'static' && to !== 'index');
}

/** What the table has to permit for an import: a package, or a room that is not below; undefined where nothing. */
function neededPermission(file: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return packageOf(specifier);
  const [from, to] = [roomOf(file), roomOf(resolve(file, specifier))];
  const [own, other] = [TABLE[from]?.level, TABLE[to]?.level];
  const isBelow = own !== undefined && other !== undefined && other < own;
  return to === from || isBelow ? undefined : to;
}

/** `oci/digest.ts` -> `oci`, `verbs/save/thin/rebase.ts` -> `verbs/save`, `index.ts` -> `index`. */
function roomOf(file: string): string {
  const [first = '', second = '', ...rest] = file.split('/');
  if (second === '') return first.replace(/\.ts$/, '');
  return rest.length > 0 ? `${first}/${second}` : first;
}

function isCli(room: string): boolean {
  return room.split('/')[0] === 'cli';
}

function resolve(file: string, specifier: string): string {
  return posix.join(posix.dirname(file), specifier);
}

/** `node:fs/promises` and `fs` -> `node:fs`, `@a/b/c` -> `@a/b`. */
function packageOf(specifier: string): string {
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1);
  return builtinModules.includes(specifier) ? `node:${name[0]}` : name.join('/');
}

function importsOf(text: string): Import[] {
  return nodesOf(text).flatMap((node): Import[] => {
    if (ts.isImportDeclaration(node)) {
      return [
        { specifier: textOf(node.moduleSpecifier), kind: isTypeOnly(node.importClause) ? 'type' : 'static' },
      ];
    }
    if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      return [{ specifier: textOf(node.moduleSpecifier), kind: node.isTypeOnly ? 'type' : 'static' }];
    }
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      return [{ specifier: textOf(node.argument.literal), kind: 'type' }];
    }
    if (ts.isCallExpression(node) && isLoader(node.expression)) {
      return [{ specifier: loadedBy(node, text), kind: 'dynamic' }];
    }
    return [];
  });
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

/** Whether a call of this loads a module: `import()`, `require()`, `process.getBuiltinModule()`. */
function isLoader(callee: ts.Expression): boolean {
  return (
    callee.kind === ts.SyntaxKind.ImportKeyword ||
    /^(require|process\.getBuiltinModule)$/.test(callee.getText())
  );
}

/** What a loader is called with; for a name that the file gives to a string, that string. */
function loadedBy({ arguments: [argument] }: ts.CallExpression, text: string): string {
  if (argument === undefined) return '';
  if (!ts.isIdentifier(argument)) return textOf(argument);
  const [, constant] = new RegExp(`^const ${argument.text}: string = '([^']+)';$`, 'm').exec(text) ?? [];
  return constant ?? textOf(argument);
}

/** The text of a string; of an expression its source, which no table allows. */
function textOf(node: ts.Node): string {
  return ts.isStringLiteralLike(node) ? node.text : node.getText();
}

function ambient(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
    const object = node.expression.getText().replace(/^globalThis\./, '');
    const name = ts.isPropertyAccessExpression(node) ? node.name.text : textOf(node.argumentExpression);
    const what = `${object}.${name}`;
    return /^(process\.(env|argv|cwd)|Date\.now)$/.test(what) ? [what] : [];
  }
  if (ts.isVariableDeclaration(node) && /^(globalThis\.)?process$/.test(node.initializer?.getText() ?? '')) {
    return ['process under another name'];
  }
  const isNow = ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length;
  return isNow ? ['new Date()'] : [];
}

/** All syntax nodes of a source, so that comments and strings are never taken for code. */
function nodesOf(text: string): ts.Node[] {
  const nodes: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    nodes.push(node);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('source.ts', text, ts.ScriptTarget.Latest, true));
  return nodes;
}
