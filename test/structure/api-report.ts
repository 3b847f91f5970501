import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** An export of an entry: where it is declared, and whether it exists at run time. */
interface Export {
  name: string;
  file: URL;
  isType: boolean;
}

/**
 * The names that an entry exports at run time, in alphabetical order.
 * @param entry its source, which only passes on what other files declare
 */
export function valuesOf(entry: URL): string[] {
  return exportsOf(entry).flatMap(({ name, isType }) => (isType ? [] : [name]));
}

/**
 * What an entry exports, as a consumer's compiler reads it: the declarations without their comments. What the main entry
 * exports, too, is one line.
 */
export function reportOf(entry: URL, main: URL): string {
  const exported = exportsOf(entry);
  const inMain = new Set(entry.href === main.href ? [] : exportsOf(main).map(keyOf));
  const passedOn = exported.filter((each) => inMain.has(keyOf(each))).map(passOn);
  const declared = exported.filter((each) => !inMain.has(keyOf(each))).map(declarationOf);
  return [...(passedOn.length > 0 ? [passedOn.join('')] : []), ...declared].join('\n');
}

function keyOf({ name, file, isType }: Export): string {
  return [isType, name, file.href].join(' ');
}

function passOn({ name, isType }: Export): string {
  return `export ${isType ? 'type ' : ''}{ ${name} } from 'drayage';\n`;
}

function exportsOf(entry: URL): Export[] {
  const found = parse(readFileSync(entry, 'utf8')).statements.flatMap((statement): Export[] => {
    if (!ts.isExportDeclaration(statement)) return [];
    const { exportClause: clause, moduleSpecifier: specifier, isTypeOnly } = statement;
    if (clause === undefined || !ts.isNamedExports(clause) || specifier === undefined)
      throw new Error(`not by name: ${statement.getText()}`);
    const file = new URL((specifier as ts.StringLiteral).text, entry);
    return clause.elements.map((each) => ({
      name: each.name.text,
      file,
      isType: isTypeOnly || each.isTypeOnly,
    }));
  });
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

const declarations = new Map<string, ts.SourceFile>();

/** The declaration of a name, as the compiler emits it. */
function declarationOf({ name, file }: Export): string {
  const source = declarations.get(file.href) ?? emit(file);
  declarations.set(file.href, source);
  const texts = source.statements
    .filter((statement) => declares(statement, name))
    .map((found) => found.getText());
  if (texts.length === 0) throw new Error(`${file.pathname} does not declare ${name}`);
  return `${texts.join('\n')}\n`;
}

function emit(file: URL): ts.SourceFile {
  const compilerOptions = { removeComments: true, target: ts.ScriptTarget.ES2023 };
  const { outputText } = ts.transpileDeclaration(readFileSync(file, 'utf8'), { compilerOptions });
  return parse(outputText);
}

function declares(statement: ts.Statement, name: string): boolean {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.some((each) => each.name.getText() === name);
  const isNamed =
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement);
  return isNamed && statement.name?.text === name;
}

function parse(text: string): ts.SourceFile {
  return ts.createSourceFile('module.ts', text, ts.ScriptTarget.Latest, true);
}
