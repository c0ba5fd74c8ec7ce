// Does node_modules hold what package-lock.json asks for? Exit 0 yes, 1 no. Runs on the machine's own Node (20 or newer),
// before ours is there: plain JavaScript. Compares npm's own record of what it installed with the lockfile.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const root = process.argv[2] ?? '.';
const withDev = process.argv[3] !== 'runtime';
try {
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(path.join(root, 'node_modules/.package-lock.json'), 'utf8')).packages;
  const wrong = Object.entries(wanted).filter(([place, entry]) => {
    if (place === '' || entry.link) return false;
    const there = present[place];
    if (there !== undefined) return there.version !== entry.version;
    return !(entry.optional || entry.devOptional || entry.peer || (entry.dev && !withDev));
  });
  process.exitCode = wrong.length === 0 ? 0 : 1;
} catch {
  process.exitCode = 1;
}
