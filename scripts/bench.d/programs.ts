/**
 * The programs as the box runs them: one JavaScript file each, made from a checkout by the image's own bundler. A checkout
 * from before there was one is run from its sources.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const BUNDLE_MS = 180_000;

/** The folder whose `src/` holds what is to be started. */
export async function bundledPrograms(source: string, dir: string): Promise<string> {
  const bundler = path.join(source, 'scripts/image/bundle-programs.ts');
  if (!existsSync(bundler)) return source;
  const folder = path.join(dir, 'programs');
  await mkdir(path.join(folder, 'src'), { recursive: true, mode: 0o755 });
  const command = [bundler, '--out', path.join(folder, 'src')];
  await promisify(execFile)(process.execPath, command, { cwd: source, timeout: BUNDLE_MS });
  await copyFile(path.join(source, 'package.json'), path.join(folder, 'package.json'));
  await symlink(path.join(source, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

/** Bundled, or as it was written. */
export function gatewayEntry(source: string): string {
  const bundled = path.join(source, 'src/gateway.js');
  return existsSync(bundled) ? bundled : path.join(source, 'src/gateway.ts');
}
