import { DrayageError } from '../index.ts';
import { shellWord } from '../text/shell-word.ts';
import { parseNotation } from './notation.ts';

/** A target of `--to`. */
export type Target =
  /** `name`: another name for the image there. */
  | { kind: 'archive'; path: string; format: 'docker' | 'oci'; name: string | undefined }
  | { kind: 'layout'; path: string; name: string | undefined }
  | { kind: 'stdout' };

/** Parses `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, each with an optional `:NAME`; or `-`. */
export function parseTarget(
  text: string,
  { json, stdout }: { json?: boolean; stdout: NodeJS.WritableStream },
): Target {
  if (text === '-') {
    const isTerminal = 'isTTY' in stdout && stdout.isTTY === true;
    if (json !== true && !isTerminal) return { kind: 'stdout' };
    const problem = isTerminal
      ? 'an archive cannot be shown on a terminal'
      : '--json and --to - both need standard output';
    throw new DrayageError('USAGE', problem, {
      hint: 'write the archive to a file: --to docker-archive:FILE',
    });
  }
  const { kind, path, image: name } = parseNotation(text);
  if (kind === undefined) {
    throw new DrayageError('USAGE', `not a target: ${text}`, {
      hint: 'use oci:DIR, oci-archive:FILE, docker-archive:FILE or -',
    });
  }
  if (name !== undefined && !/[:/]/.test(name)) {
    throw new DrayageError('USAGE', `${name} in ${text} is only a tag, not a name that docker knows`, {
      hint: `write the whole name: ${shellWord(`${kind}:${path}:app:${name}`)}`,
    });
  }
  if (kind === 'oci') return { kind: 'layout', path, name };
  return { kind: 'archive', path, name, format: kind === 'oci-archive' ? 'oci' : 'docker' };
}
