import { expect, test } from 'vitest';
import { checkLayoutVersion } from '../../src/oci/layout.ts';

test.each([
  ['', {}],
  ['{}', { expected: '1.0.0' }],
  ['{"imageLayoutVersion":"2.0.0"}', { expected: '1.0.0', actual: '2.0.0' }],
])('the error for an oci-layout of %j says where it is', (text, facts) => {
  for (const where of [{ path: '/layout/oci-layout' }, { entry: 'oci-layout' }]) {
    const check = (): void => checkLayoutVersion(Buffer.from(text), 'oci-layout', where);
    expect(check).toThrow(
      expect.objectContaining({ code: 'MALFORMED', facts: expect.objectContaining({ ...facts, ...where }) }),
    );
  }
});
