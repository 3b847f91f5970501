import { DrayageError } from '../../errors.ts';
import { quote } from './header.ts';

const MAX_NAME_LENGTH = 4096;

/**
 * The one form of an entry's name: no `./` in front, no `/` at the end. The archive's own folder is ''.
 *
 * Nothing is ever written under an entry's name. Names that would lead out of the archive are refused all the same:
 * nobody makes them by accident.
 * @throws {@link DrayageError} `MALFORMED`
 */
export function entryPath(name: string): string {
  if (name.length > MAX_NAME_LENGTH) throw outside(name);
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name === '' || name.startsWith('/') || name.includes('\0') || parts.includes('..')) throw outside(name);
  return parts.join('/');
}

/**
 * The entry that a link points to: a symlink's target counts from the folder it stands in, a hard link's from the archive's.
 * @throws {@link DrayageError} `MALFORMED` where it leads out of the archive, or is too long
 */
export function linkTarget(link: { type: 'symlink' | 'hardlink'; name: string; target: string }): string {
  if (link.type === 'hardlink') return entryPath(link.target);
  if (link.target.length > MAX_NAME_LENGTH) throw outsideLink(link);
  const parts = link.name.split('/').slice(0, -1);
  if (link.target === '' || link.target.startsWith('/')) throw outsideLink(link);
  for (const part of link.target.split('/')) {
    if (part === '..' && parts.pop() === undefined) throw outsideLink(link);
    if (part !== '..' && part !== '.' && part !== '') parts.push(part);
  }
  return parts.join('/');
}

function outside(name: string): DrayageError {
  return new DrayageError(
    'MALFORMED',
    `tar entry ${quote(name)} is refused: its name is too long, or leads out of the archive`,
    {
      entry: name,
    },
  );
}

function outsideLink({ name, target }: { name: string; target: string }): DrayageError {
  return new DrayageError(
    'MALFORMED',
    `tar entry ${quote(name)} links out of the archive, or too far, to ${quote(target)}`,
    {
      entry: name,
    },
  );
}
