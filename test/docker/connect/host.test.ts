import { describe, expect, test } from 'vitest';
import type { DockerHost } from '../../../src/docker/connect/host.ts';
import { parseHost } from '../../../src/docker/connect/host.ts';
import { isDrayageError } from '../../../src/errors.ts';

const LOCAL: DockerHost = {
  name: 'unix:///var/run/docker.sock',
  origin: 'http://docker',
  socketPath: '/var/run/docker.sock',
};

describe('the address of a daemon', () => {
  test.each<[string, DockerHost]>([
    [
      'unix:///var/run/docker.sock',
      { name: 'unix:///var/run/docker.sock', origin: 'http://docker', socketPath: '/var/run/docker.sock' },
    ],
    ['tcp://docker:2375', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    ['tcp://docker', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    ['tcp://127.0.0.1:80/', { name: 'tcp://127.0.0.1:80', origin: 'http://127.0.0.1:80' }],
    ['tcp://[::1]', { name: 'tcp://[::1]:2375', origin: 'http://[::1]:2375' }],
    ['tcp://[::1]:99', { name: 'tcp://[::1]:99', origin: 'http://[::1]:99' }],
    ['tcp://a:1/b/c/', { name: 'tcp://a:1/b/c', origin: 'http://a:1/b/c' }],
    ['tcp://h:2375/prefix/', { name: 'tcp://h:2375/prefix', origin: 'http://h:2375/prefix' }],
    ['tcp://h:2375 ', { name: 'tcp://h:2375', origin: 'http://h:2375' }],
    ['[::1]:2375', { name: 'tcp://[::1]:2375', origin: 'http://[::1]:2375' }],
    ['docker:2376', { name: 'tcp://docker:2376', origin: 'http://docker:2376' }],
    ['docker', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    [' unix:///s ', { name: 'unix:///s', origin: 'http://docker', socketPath: '/s' }],
    [
      'unix://',
      { name: 'unix:///var/run/docker.sock', origin: 'http://docker', socketPath: '/var/run/docker.sock' },
    ],
    ['tcp://', { name: 'tcp://localhost:2375', origin: 'http://localhost:2375' }],
    ['tcp:///', { name: 'tcp://localhost:2375', origin: 'http://localhost:2375' }],
    ['tcp://:2376', { name: 'tcp://localhost:2376', origin: 'http://localhost:2376' }],
    [':2375', { name: 'tcp://localhost:2375', origin: 'http://localhost:2375' }],
    [' tcp://:80/a/ ', { name: 'tcp://localhost:80/a', origin: 'http://localhost:80/a' }],
    ['tcp://docker:', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    ['docker:/', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    ['tcp://[::1]:', { name: 'tcp://[::1]:2375', origin: 'http://[::1]:2375' }],
    ['tcp://docker/', { name: 'tcp://docker:2375', origin: 'http://docker:2375' }],
    ['', LOCAL],
    [' ', LOCAL],
    ['\t\n', LOCAL],
    ['http://localhost:2375', { name: 'tcp://localhost:2375', origin: 'http://localhost:2375' }],
  ])('%s is read', (text, host) => {
    expect(parseHost(text)).toEqual(host);
  });

  test.each([
    '/var/run/docker.sock',
    'tcp:///var/run/docker.sock',
    'tcp://docker:2375//',
    'tcp:// docker',
    'tcp://::1',
    'TCP://docker',
    'unix:/s',
    'unix://run/docker.sock',
    'npipe://',
    'tcp://user:secret@h:2375',
    'tcp://h:65536',
    'h:2375,h2:2375',
    'tcp://a/b?c',
    'tcp://a/../b c',
    'tcp://a:x',
    'udp://a:1',
    'ssh://',
    'ssh://-oProxyCommand=id',
  ])('%j is none', (text) => {
    expect(() => parseHost(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  test.each([
    ['ssh://me@host', { host: 'host', user: 'me' }],
    ['ssh://user@h:22/path', { host: 'h', user: 'user', port: '22', socketPath: '/path' }],
    ['ssh://host:22/run/docker.sock', { host: 'host', port: '22', socketPath: '/run/docker.sock' }],
  ])('%s is one behind ssh', (text, ssh) => {
    expect(parseHost(text)).toEqual({ name: text, origin: 'http://docker', ssh });
  });

  test('of tcp may be one of TLS, which changes neither name nor port', () => {
    const host = { name: 'tcp://docker:2375', origin: 'https://docker:2375' };
    expect(parseHost('tcp://docker', { tls: true })).toEqual(host);
    expect(parseHost('unix:///s', { tls: true }).origin).toBe('http://docker');
  });

  test('is a named pipe on Windows only', () => {
    const text = 'npipe:////./pipe/docker_engine';
    expect(parseHost(text, { platform: 'win32' })).toEqual({
      name: text,
      origin: 'http://docker',
      socketPath: String.raw`\\.\pipe\docker_engine`,
    });
    expect(() => parseHost('npipe:////server/pipe/x', { platform: 'win32' })).toThrow(/not the address/);
    expect(() => parseHost(text, { platform: 'linux' })).toThrow(/named pipe of Windows/);
  });

  test.each(['npipe:////./pipe/docker_engine', 'https://host:2376', 'fd://'])(
    '%s is refused with what is supported',
    (text) => {
      expect(() => parseHost(text)).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('unix://') }),
      );
    },
  );

  test('of a socket without its scheme is refused with the address to write', () => {
    expect(() => parseHost(' /run/docker.sock')).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'for a socket write unix:///run/docker.sock' }),
    );
  });

  test('a socket path that the kernel would cut is refused', () => {
    expect(parseHost(`unix:///${'a'.repeat(106)}`).socketPath).toHaveLength(107);
    expect(() => parseHost(`unix:///${'a'.repeat(107)}`)).toThrow(/at most 107 bytes, this one 108/);
  });

  test('a password does not get into the message', () => {
    try {
      parseHost('ssh://me:secret@host');
      expect.unreachable();
    } catch (error) {
      expect(isDrayageError(error) && error.message).not.toContain('secret');
    }
  });
});
