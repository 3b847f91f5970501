import { describe, expect, test } from 'vitest';
import { parseSshTarget, sshArguments } from '../../../src/docker/connect/ssh-target.ts';

const COMMON = ['-o', 'ConnectTimeout=30', '-T'];
const DIAL = ['system', 'dial-stdio'];

describe('an ssh address', () => {
  test.each([
    ['host', [...COMMON, '--', 'host', 'docker', ...DIAL]],
    ['me@host', [...COMMON, '-l', 'me', '--', 'host', 'docker', ...DIAL]],
    ['me@a.example:2222', [...COMMON, '-l', 'me', '-p', '2222', '--', 'a.example', 'docker', ...DIAL]],
    ['host/', [...COMMON, '--', 'host', 'docker', ...DIAL]],
    ['[fe80::1%eth0]:22', [...COMMON, '-p', '22', '--', 'fe80::1%eth0', 'docker', ...DIAL]],
    ['host/run/d.sock', [...COMMON, '--', 'host', 'docker', '--host=unix:///run/d.sock', ...DIAL]],
    ["host/a b'$(c)", [...COMMON, '--', 'host', 'docker', `--host='unix:///a b'\\''$(c)'`, ...DIAL]],
  ])('%s becomes what docker itself runs', (text, args) => {
    const target = parseSshTarget(text);
    expect(target && sshArguments(target)).toEqual(args);
  });

  test.each([
    '',
    '-oProxyCommand=id',
    'me@-oProxyCommand=id',
    '-l@host',
    'a;b@host',
    '$(id)@host',
    'ho st',
    'host`id`',
    'host:x',
    'host:65536',
    'host/a\nb',
    'host/a?b',
    'host#a',
    '[::1',
  ])('%j is none', (text) => {
    expect(parseSshTarget(text)).toBeUndefined();
  });

  test('must not hold a password', () => {
    expect(() => parseSshTarget('me:secret@host')).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.not.stringContaining('secret') }),
    );
  });
});
