import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { certificateFacts } from '../../src/attest/certificate.ts';
import { FakeSigstore } from '../support/fake-sigstore.ts';
import { keyless, statement } from './bundles.ts';

const COMMIT = '1.3.6.1.4.1.57264.1.13';

async function codeSigning(): Promise<Buffer> {
  const bundle = JSON.parse((await keyless(await FakeSigstore.forTest())(statement())).toString()) as {
    verificationMaterial: { certificate: { rawBytes: string } };
  };
  return Buffer.from(bundle.verificationMaterial.certificate.rawBytes, 'base64');
}

describe('a certificate', () => {
  test('that is not for signing code is refused', async () => {
    const fake = await FakeSigstore.forTest();
    const authorities = fake.trustedRoot['timestampAuthorities'] as {
      certChain: { certificates: { rawBytes: string }[] };
    }[];
    const raw = Buffer.from(authorities[0]?.certChain.certificates[0]?.rawBytes ?? '', 'base64');
    expect(new X509Certificate(raw).keyUsage).toEqual(['1.3.6.1.5.5.7.3.8']);
    expect(() => certificateFacts(raw, 'https://x', [])).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ reason: 'CERTIFICATE_USE' }) as object }),
    );
  });

  test.each([
    ['of an identity that is not there', undefined],
    ['of an identity that no pattern should have to read', `https://${'a'.repeat(3000)}`],
  ])('%s is refused', async (_, identity) => {
    const raw = await codeSigning();
    expect(() => certificateFacts(raw, identity, [])).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ reason: 'IDENTITY' }) as object }),
    );
  });

  test('states texts of any length, and the bare text that issuers once were', async () => {
    const raw = await codeSigning();
    const long = 'a'.repeat(200);
    const der = Buffer.concat([Buffer.from([0x0c, 0x81, 200]), Buffer.from(long)]);
    const legacy = ['1.3.6.1.4.1.57264.1.1', Buffer.from('https://gitlab.com')] as const;
    const facts = certificateFacts(raw, 'https://x', [[COMMIT, der], legacy]);
    expect(facts).toMatchObject({ commit: long, issuer: 'https://gitlab.com', ref: undefined });
  });

  test.each([
    ['cut', Buffer.from([0x0c, 0x05, 0x61])],
    ['of another type', Buffer.from([0x04, 0x01, 0x61])],
    ['followed by more', Buffer.from([0x0c, 0x01, 0x61, 0x62])],
    ['of a length that is cut', Buffer.from([0x0c, 0x82, 0x01])],
    ['of a length beyond any', Buffer.from([0x0c, 0x84, 0, 0, 0, 1, 0x61])],
    ['empty', Buffer.alloc(0)],
  ])('whose extension is %s is refused', async (_, value) => {
    const raw = await codeSigning();
    expect(() => certificateFacts(raw, 'https://x', [[COMMIT, value]])).toThrow(
      expect.objectContaining({
        facts: expect.objectContaining({ reason: 'CERTIFICATE_EXTENSION' }) as object,
      }),
    );
  });
});
