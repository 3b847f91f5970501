import type * as exported from '../index.ts';

/** What the package exports. */
type Library = typeof exported;

/**
 * Loads the library. Once, in one place: answering `--help` must not wait for it, and the compiler does not rewrite the
 * extension of an import inside a function that has `await using`.
 */
export function library(): Promise<Library> {
  return import('../index.ts');
}
