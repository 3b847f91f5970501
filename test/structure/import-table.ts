import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';

/** What a module may import beyond itself and the modules of lower levels. */
interface Rule {
  level: number;
  /** Modules of its own level that it may import. */
  also?: string[];
  /** Packages, and built-in modules as `node:name` without subpath. */
  packages?: string[];
}

const PLACES = ['node:crypto', 'node:stream'];
const DISK = ['node:fs', 'node:path'];
const VERB: Rule = { level: 4, packages: ['p-limit', 'node:stream'] };

/** The allowed imports: a module is a folder of src or a file in it. */
const TABLE: Record<string, Rule> = {
  errors: { level: 0 },
  oci: { level: 1, packages: ['node:crypto', 'valibot'] },
  progress: { level: 1 },
  stream: { level: 2, packages: ['node:stream', 'node:zlib', 'node:crypto', 'fzstd', 'p-limit'] },
  content: { level: 2, packages: ['node:stream', 'node:crypto', 'p-limit'] },
  endpoint: { level: 2, also: ['content'], packages: ['node:stream'] },
  image: { level: 2, also: ['content', 'stream'] },
  layer: { level: 2, also: ['content', 'stream'] },
  copy: { level: 2, also: ['content', 'stream', 'image', 'layer'] },
  transfer: { level: 2, also: ['content', 'stream', 'image'], packages: ['p-limit'] },
  reachable: { level: 2, also: ['content', 'stream'] },
  footprint: { level: 2, also: ['content', 'image'] },
  'size-check': { level: 2, also: ['content', 'footprint'] },
  naming: { level: 2, also: ['content'] },
  lease: { level: 2, also: ['endpoint'] },
  http: { level: 2, also: ['content'], packages: ['node:stream', 'undici'] },
  combine: { level: 2, also: ['content', 'image'] },
  selection: { level: 2, also: ['content', 'combine'], packages: ['node:stream'] },
  rename: { level: 2, also: ['content', 'selection'] },
  referrers: { level: 2, also: ['content', 'image'] },
  listing: { level: 2, also: ['content', 'image', 'naming'] },
  ingest: {
    level: 3,
    packages: [...PLACES, 'node:worker_threads', 'node:fs', 'node:os', 'node:util', 'node:zlib', 'p-limit'],
  },
  archive: { level: 3, packages: [...PLACES, 'node:events', 'tar-stream', 'valibot'] },
  layout: { level: 3, packages: [...PLACES, ...DISK, 'p-limit', 'node:os', 'node:worker_threads'] },
  docker: {
    level: 3,
    also: ['archive'],
    packages: [
      ...PLACES,
      ...DISK,
      'undici',
      'valibot',
      'node:net',
      'node:tls',
      'node:child_process',
      'node:timers',
    ],
  },
  gitlab: {
    level: 3,
    packages: [...PLACES, ...DISK, 'node:zlib', 'valibot', 'yauzl'],
  },
  registry: { level: 3, packages: [...PLACES, 'valibot', 'p-limit', 'node:child_process'] },
  arrive: { level: 3, also: ['archive'] },
  push: { level: 3, also: ['layout', 'registry'], packages: ['p-limit'] },
  thin: { level: 3, also: ['arrive', 'layout'], packages: ['node:stream', 'p-limit'] },
  // A statement is made of what is known of a GitLab job, and held against the same expectations.
  attest: {
    level: 3,
    also: ['gitlab'],
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
  save: VERB,
  load: VERB,
  unload: VERB,
  fetch: VERB,
  verify: VERB,
  sign: VERB,
  promote: VERB,
  merge: VERB,
  prune: VERB,
  untag: VERB,
  inspect: VERB,
  diff: VERB,
  export: VERB,
  index: { level: 5 },
  exports: { level: 5 },
  cli: {
    level: 6,
    packages: [
      'commander',
      'valibot',
      'undici',
      'node:process',
      'node:v8',
      'node:crypto',
      ...DISK,
      'node:os',
      'node:stream',
      'node:tls',
    ],
  },
};

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

/** Every use of environment, arguments, working folder and wall clock outside cli, one line each. */
export function ambientReads(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) =>
    moduleOf(file) === 'cli'
      ? []
      : nodesOf(text).flatMap((node) => ambient(node).map((what) => `${file}: ${what}`)),
  );
}

function isAllowed(file: string, { specifier, kind }: Import): boolean {
  const from = moduleOf(file);
  const rule = TABLE[from];
  if (rule === undefined) return false;
  if (!specifier.startsWith('.')) return rule.packages?.includes(packageOf(specifier)) === true;
  const target = resolve(file, specifier);
  const to = moduleOf(target);
  if (to === from) return true;
  if (from === 'cli') return target === 'index.ts' && kind !== 'static';
  const level = TABLE[to]?.level;
  return level !== undefined && (level < rule.level || rule.also?.includes(to) === true);
}

/** `oci/digest.ts` -> `oci`, `save.ts` -> `save`. */
function moduleOf(file: string): string {
  return file.split('/')[0]?.replace(/\.ts$/, '') ?? '';
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
      return [{ specifier: node.arguments[0] ? textOf(node.arguments[0]) : '', kind: 'dynamic' }];
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
