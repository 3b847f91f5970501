import { DrayageError } from '../index.ts';
import { shellWord } from '../text/shell-word.ts';
import { isStream, parseNotation } from './notation.ts';

/** A target of `--to`. */
export type Target =
  /** `name`: another name for the image there. */
  | { kind: 'archive'; path: string; format: 'docker' | 'oci'; name: string | undefined }
  | { kind: 'layout'; path: string; name: string | undefined }
  | { kind: 'stdout'; format: 'docker' | 'oci'; name: string | undefined };

/**
 * Parses `oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`, each with an optional `:NAME`. `-` as FILE is standard
 * output, and alone a docker archive there.
 */
export function parseTarget(
  text: string,
  { json, stdout }: { json?: boolean; stdout: NodeJS.WritableStream },
): Target {
  const { kind, path, image: name } = parseNotation(isStream(text) ? `docker-archive:${text}` : text);
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
  const format = kind === 'oci-archive' ? 'oci' : 'docker';
  if (!isStream(path)) return { kind: 'archive', path, name, format };
  const isTerminal = 'isTTY' in stdout && stdout.isTTY === true;
  if (json !== true && !isTerminal) return { kind: 'stdout', name, format };
  const problem = isTerminal
    ? 'an archive cannot be shown on a terminal'
    : `--json and --to ${text} both need standard output`;
  throw new DrayageError('USAGE', problem, {
    hint: `write the archive to a file: --to ${format}-archive:FILE`,
  });
}
