import { expect, test } from 'vitest';
import type { Nearness } from '../../src/http/nearness.ts';
import { nearnessOf, nearnessOfHost } from '../../src/http/nearness.ts';

test.each<[Nearness, string[]]>([
  [
    'public',
    ['93.184.216.34', '11.0.0.1', '172.32.0.1', '100.128.0.1', '2606:2800::1', '::ffff:93.184.216.34'],
  ],
  [
    'private',
    ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.0.1', '100.64.0.1', 'fd12::1', '::ffff:10.0.0.1'],
  ],
  ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1']],
  [
    'never',
    ['0.0.0.0', '0.1.2.3', '169.254.169.254', '::', 'fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', '224.0.0.1'],
  ],
  [
    'never',
    ['100.100.100.200', '168.63.129.16', '192.0.0.192', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe'],
  ],
  ['never', ['fd20:ce::254', 'fd00:ec2::23', '2002:a9fe:a9fe::1', '::169.254.169.254', '2001:0:7f00:1::']],
  ['loopback', ['::127.0.0.1', '::7f00:2', '::ffff:0:7f00:1', '64:ff9b:0:0:0:0:7f00:1', '2002:7f00:1::5']],
  ['private', ['198.18.0.1', '64:ff9b:1::7f00:1', '2002:a00:1::', '::ffff:0:10.0.0.1', '::192.168.0.1']],
  ['public', ['2002:5db8:d822::1', '64:ff9b::5db8:d822', '::ffff:0:5db8:d822', '2a00:1450::7f00:1']],
])('%s: %j', (nearness, addresses) => {
  for (const address of addresses) expect(`${address} ${nearnessOf(address)}`).toBe(`${address} ${nearness}`);
});

const host = async (...addresses: string[]): Promise<Nearness | undefined> =>
  nearnessOfHost('registry.example', async () => addresses);
const fail = async (): Promise<never> => {
  throw new Error('ENOTFOUND');
};

test('a host is as near as the nearest of its addresses', async () => {
  expect(await host('93.184.216.34', '10.0.0.1')).toBe('private');
  expect(await host('10.0.0.1', '127.0.0.1', '93.184.216.34')).toBe('loopback');
  expect(await host('127.0.0.1', '169.254.169.254')).toBe('never');
  expect(await host()).toBeUndefined();
});

test.each([
  'http://127.1',
  'http://0x7f.0.0.1',
  'http://2130706433',
  'http://[::1]',
  'http://[::ffff:7f00:1]',
])('%s is a literal, and not looked up', async (text) => {
  expect(await nearnessOfHost(new URL(text).hostname, fail)).toBe('loopback');
});

test('a name that cannot be resolved is not known', async () => {
  expect(await nearnessOfHost('registry.example', fail)).toBeUndefined();
});
