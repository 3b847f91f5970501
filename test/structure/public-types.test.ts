import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const ENTRIES = ['index', ...readdirSync(`${ROOT}src/exports`).map((file) => `exports/${file.slice(0, -3)}`)];

/**
 * The project is compiled without `exactOptionalPropertyTypes`, and a consumer may have it on: to him `a?: string` does not
 * take undefined. So optional properties of public types say that they do.
 */
describe('a consumer with exactOptionalPropertyTypes', () => {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(`${ROOT}tsconfig.json`, (file) => readFileSync(file, 'utf8')).config,
    ts.sys,
    ROOT,
  );
  const consumer = `${ROOT}consumer.ts`;
  const host = ts.createCompilerHost(options);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  const text = ENTRIES.map((entry, i) => `export * as e${i} from './src/${entry}.ts';`).join('\n');
  host.fileExists = (file) => file === consumer || fileExists(file);
  host.getSourceFile = (file, target) =>
    file === consumer ? ts.createSourceFile(file, text, target) : getSourceFile(file, target);
  const program = ts.createProgram([consumer], { ...options, exactOptionalPropertyTypes: true }, host);
  const found = optionalProperties(program, consumer);

  test('may pass undefined wherever it may pass nothing', () => {
    expect(found.length).toBeGreaterThan(100);
    expect(found.filter(({ takesUndefined }) => !takesUndefined).map(({ name }) => name)).toEqual([]);
  });
});

interface OptionalProperty {
  /** `SaveOptions.images` */
  name: string;
  takesUndefined: boolean;
}

/** The optional properties of all interfaces that the exports lead to. Those of results, which only we make, among them. */
function optionalProperties(program: ts.Program, file: string): OptionalProperty[] {
  const checker = program.getTypeChecker();
  const found = new Map<string, OptionalProperty>();
  const seen = new Set<ts.Node>();
  const follow = (symbol: ts.Symbol | undefined): void => {
    const target = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    for (const declaration of target?.declarations ?? []) visit(declaration);
    if (target !== undefined && target.flags & ts.SymbolFlags.Module)
      for (const inner of checker.getExportsOfModule(target)) follow(inner);
  };
  const visit = (node: ts.Node): void => {
    if (seen.has(node) || node.getSourceFile().fileName.includes('node_modules')) return;
    seen.add(node);
    if (isPrivate(node)) return;
    if (ts.isPropertySignature(node) && node.questionToken !== undefined && node.type !== undefined) {
      const owner = ts.isInterfaceDeclaration(node.parent)
        ? node.parent.name.text
        : node.getSourceFile().fileName;
      const name = `${owner}.${node.name.getText()}`;
      found.set(name, { name, takesUndefined: mayBeUndefined(checker.getTypeFromTypeNode(node.type)) });
    }
    for (const reference of referencesIn(node)) follow(checker.getSymbolAtLocation(reference));
    if (!ts.isBlock(node)) ts.forEachChild(node, visit);
  };
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  for (const entry of module ? checker.getExportsOfModule(module) : []) follow(entry);
  return [...found.values()];
}

/** Whether a member is private: its declaration for consumers has no types. */
function isPrivate(node: ts.Node): boolean {
  if (!ts.isClassElement(node)) return false;
  if (node.name !== undefined && ts.isPrivateIdentifier(node.name)) return true;
  return (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0;
}

function referencesIn(node: ts.Node): ts.Node[] {
  if (ts.isTypeReferenceNode(node)) return [node.typeName];
  if (ts.isExpressionWithTypeArguments(node)) return [node.expression];
  return ts.isTypeQueryNode(node) ? [node.exprName] : [];
}

function mayBeUndefined(type: ts.Type): boolean {
  return isLoose(type) || (type.isUnion() && type.types.some(isLoose));
}

function isLoose({ flags }: ts.Type): boolean {
  return (flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0;
}
