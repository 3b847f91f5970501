import type { VerifyResult } from '../../index.ts';
import type { Context, Outcome } from '../context.ts';
import { OK, exitCodeOf } from '../exit-code.ts';
import { count, formatBytes } from '../format.ts';
import { openLayouts } from '../places.ts';
import { library } from '../library.ts';
import { explainDamage } from '../transport.ts';

/** `drayage verify` */
export async function verifyLayouts(paths: readonly string[], context: Context): Promise<Outcome> {
  const { verify } = await library();
  const { signal, onProgress } = context;
  const layouts = [];
  for (const layout of await openLayouts(paths, context)) {
    const result = await verify({ layout, signal, onProgress });
    const problems = await Promise.all(
      result.problems.map((error) => explainDamage(error, [layout], context)),
    );
    layouts.push({ layout: layout.path, ...result, problems });
  }
  const [worst] = layouts.flatMap(({ problems }) => problems);
  return {
    json: { layouts: layouts.map((result) => ({ ...result, problems: result.problems.map(toJson) })) },
    text: layouts.flatMap(describeLayout),
    quiet: layouts.filter(({ problems }) => problems.length === 0).map(({ layout }) => layout),
    exitCode: worst === undefined ? OK : exitCodeOf(worst.code),
  };
}

function describeLayout({
  layout,
  entries,
  blobs,
  bytes,
  omitted,
  problems,
}: VerifyResult & { layout: string }): string[] {
  const read = `${count(entries, 'entry', 'entries')}, ${count(blobs, 'blob')}, ${formatBytes(bytes)}`;
  const leftOut =
    omitted.layers === 0
      ? ''
      : `; ${count(omitted.layers, 'layer')} (${formatBytes(omitted.bytes)}) left out on purpose`;
  const verdict =
    problems.length === 0
      ? `content intact${leftOut}; origin not checked`
      : `${count(problems.length, 'problem')} found${leftOut}`;
  const hints = new Set(problems.flatMap(({ hint }) => hint ?? []));
  return [...problems.map(({ message }) => message), `${read}: ${verdict}`, ...hints].map(
    (line) => `${layout}: ${line}`,
  );
}

function toJson({ code, message, facts }: VerifyResult['problems'][number]): object {
  return { code, message, ...facts, cause: undefined };
}
