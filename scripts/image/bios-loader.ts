/**
 * Puts GRUB for PC BIOS into a disk image: its first stage into the first sector (the partition table of that sector stays),
 * its core into the BIOS boot partition. What grub-install does, without a device. Throws when the core does not fit.
 *
 *   node scripts/image/bios-loader.ts --disk FILE --boot boot.img --core core.img --at SECTOR
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { parseArgs } from 'node:util';

const SECTOR = 512;
/** Code of the first sector; behind it stand the disk's signature and the old partition table. */
const BOOT_CODE = 440;
/** grub/i386/pc/boot.h: where the first stage finds the core, and the jump that asks which drive it is. */
const KERNEL_SECTOR = 0x5c;
const DRIVE_CHECK = 0x66;
/** The core's first sector ends with the list of its other sectors: start (8 octets), length (2), segment (2). */
const FIRST_BLOCK = SECTOR - 12;
const PARTITION_SECTORS = 2_048;

const { values } = parseArgs({
  options: { disk: { type: 'string' }, boot: { type: 'string' }, core: { type: 'string' }, at: { type: 'string' } },
});
const { disk, boot: bootFile, core: coreFile } = values;
const at = Number(values.at);
if (disk === undefined || bootFile === undefined || coreFile === undefined || !Number.isInteger(at)) {
  throw new TypeError('Usage: bios-loader --disk FILE --boot boot.img --core core.img --at SECTOR');
}

const boot = Buffer.from(readFileSync(bootFile).subarray(0, BOOT_CODE));
boot.writeBigUInt64LE(BigInt(at), KERNEL_SECTOR);
// no-operation: some BIOSes hand over a wrong drive number for fixed disks
boot.writeUInt16LE(0x9090, DRIVE_CHECK);

const image = readFileSync(coreFile);
const sectors = Math.ceil(image.length / SECTOR);
if (sectors > PARTITION_SECTORS) throw new RangeError(`GRUB's core has ${sectors} sectors, ${PARTITION_SECTORS} fit`);
const core = Buffer.alloc(sectors * SECTOR);
image.copy(core);
core.writeBigUInt64LE(BigInt(at + 1), FIRST_BLOCK);
core.writeUInt16LE(sectors - 1, FIRST_BLOCK + 8);

const file = openSync(disk, 'r+');
try {
  writeSync(file, boot, 0, boot.length, 0);
  writeSync(file, core, 0, core.length, at * SECTOR);
} finally {
  closeSync(file);
}
