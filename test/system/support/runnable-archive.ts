/** A docker archive of an image that runs, made without a daemon or a compiler. */
import { digestOf } from '../../../src/oci/digest.ts';
import { header, padded } from '../../support/archives/tar-bytes.ts';

const BASE = 0x40_0000;
const HEADERS = 64 + 56;

/** An image, `name`, that prints `text` when it is run. For Linux on x86-64. */
export function runnableArchive(name: string, text: string): Buffer {
  const program = printer(text);
  const layer = Buffer.concat([
    header({ name: 'print', mode: '0000755\0', size: program.length }),
    padded(program),
    Buffer.alloc(1024),
  ]);
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/print'] },
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: ['layer.tar'] }]);
  return Buffer.concat([
    file('layer.tar', layer),
    file('config.json', config),
    file('manifest.json', manifest),
    Buffer.alloc(1024),
  ]);
}

function file(path: string, content: Buffer | string): Buffer {
  return Buffer.concat([header({ name: path, size: content.length }), padded(content)]);
}

/** The smallest program that there is: write(1, text), exit(0). */
function printer(text: string): Buffer {
  const message = Buffer.from(text);
  const code = Buffer.from('b801000000bf01000000be00000000ba000000000f05b83c00000031ff0f05', 'hex');
  code.writeUInt32LE(BASE + HEADERS + code.length, 11);
  code.writeUInt32LE(message.length, 16);
  const size = HEADERS + code.length + message.length;
  const elf = Buffer.alloc(HEADERS);
  elf.write('\x7fELF\x02\x01\x01', 'latin1');
  elf.writeUInt16LE(2, 16); // an executable
  elf.writeUInt16LE(62, 18); // for x86-64
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(BASE + HEADERS), 24);
  elf.writeBigUInt64LE(64n, 32);
  elf.writeUInt16LE(64, 52);
  elf.writeUInt16LE(56, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, 64); // to be loaded
  elf.writeUInt32LE(5, 68); // to be read and run
  elf.writeBigUInt64LE(BigInt(BASE), 80);
  elf.writeBigUInt64LE(BigInt(BASE), 88);
  elf.writeBigUInt64LE(BigInt(size), 96);
  elf.writeBigUInt64LE(BigInt(size), 104);
  elf.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([elf, code, message]);
}
