import { readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const SRC = new URL('../../src/', import.meta.url);

/** Questions that one room answers: what is called or read to answer them, and the files that may. */
const ONE_PLACE: { question: string; callee: RegExp; files: RegExp }[] = [
  {
    question: 'which images a policy permits',
    callee: /(^|[.#])policy\??\.(choose|check)$/,
    files: /^select\//,
  },
  { question: 'who made an image', callee: /(^|\.)authenticate$/, files: /^select\// },
  {
    question: 'what is at a path, where any failure may be taken for absence',
    callee: /^(?:l?stat|access|exists)(?:Sync)?$/,
    // What they then open says what is wrong.
    files: /^disk\/|^cli\/(?:artifact-errors|notation|output-file|trust-file|writable)\.ts$/,
  },
];

/** Calls that answer such a question elsewhere, one line each. */
function callsElsewhere(file: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      const callee = node.expression.getText();
      for (const one of ONE_PLACE)
        if (one.callee.test(callee) && !one.files.test(file))
          found.push(`${file}: ${callee}: ${one.question}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

test('only errors.ts asks by its class whether a value is an error: test runners have classes of their own', () => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const asking = files.filter((file) =>
    /\binstanceof (?:Error|DrayageError|Uint8Array|Buffer)\b/.test(readFileSync(new URL(file, SRC), 'utf8')),
  );
  expect(asking).toEqual(['errors.ts']);
});

describe('a question that one room answers', () => {
  test('is answered nowhere else', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.ts'),
    );
    const texts = files.map((file) => [file, readFileSync(new URL(file, SRC), 'utf8')] as const);
    expect(texts.flatMap(([file, text]) => callsElsewhere(file, text))).toEqual([]);
  });

  test.each([
    ['cli/commands/verify.ts', 'policy?.choose([image], () => {});'],
    ['verbs/load/load.ts', 'options.policy.check(image, config);'],
    ['verbs/sign.ts', 'await authenticate?.(image, place);'],
    ['cli/reports.ts', 'await stat(path).catch(() => undefined);'],
    ['docker/connect/context.ts', 'return access(path).then(yes, no);'],
  ])('is found in %s: %s', (file, text) => {
    expect(callsElsewhere(file, text)).toHaveLength(1);
  });

  test('may be asked where it is answered', () => {
    expect(callsElsewhere('select/select.ts', 'policy.choose(images, note);')).toEqual([]);
  });
});
