import { DrayageError } from '../errors.ts';

/** The oldest Node that runs this program, as package.json states it. */
export const MINIMUM_NODE = '20.19.0';

/**
 * Refuses a Node that is too old.
 * @param version as in `process.versions.node`
 * @throws {@link DrayageError} `UNSUPPORTED`
 */
export function assertNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = MINIMUM_NODE.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new DrayageError(
    'UNSUPPORTED',
    `Node ${version} is too old: drayage needs ${MINIMUM_NODE} or newer`,
    {
      expected: MINIMUM_NODE,
      actual: version,
      hint: 'use an image with a newer Node, or the executable of a release, which has one in it',
    },
  );
}
