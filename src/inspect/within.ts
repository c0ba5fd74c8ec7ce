/**
 * Files that lie in a part without being parts themselves: in Outlook's `winmail.dat`, and uuencoded in a text. Each is looked at as
 * an attachment is: its names, its first octets, what is packed in it; under the budget for archives.
 */
import type { AttachmentTrait, Finding } from '../mail/finding.ts';
import { displayText } from '../mail/words.ts';
import { type ArchiveBudget, notesHold, openArchive } from './archives.ts';
import { HEAD_OCTETS, isZipName, kindOf, traitsByName } from './file-kinds.ts';

export interface FileWithin {
  /** Each that a program may give it. */
  names: readonly string[];
  octets: Buffer;
}

/** `inside`: names around them, outermost first. */
export async function lookWithin(
  files: readonly FileWithin[],
  options: { inside: string[]; budget: ArchiveBudget },
): Promise<{ traits: AttachmentTrait[]; findings: Finding[] }> {
  const { budget } = options;
  const findings: Finding[] = [];
  for (const file of files) {
    budget.files += 1;
    if (budget.files > budget.limits.archiveFiles || performance.now() > budget.until || budget.signal.aborted)
      return { traits: ['unscannable'], findings };
    findings.push(...(await lookAtFile(file, options)));
  }
  return { traits: [], findings };
}

async function lookAtFile(
  { names, octets }: FileWithin,
  { inside, budget }: { inside: string[]; budget: ArchiveBudget },
): Promise<Finding[]> {
  const [name = '', ...others] = names;
  const head = octets.subarray(0, HEAD_OCTETS);
  const kind = await kindOf({ name, declaredType: '', head });
  const traits = new Set([...kind.traits, ...others.flatMap(traitsByName)]);
  const shown = displayText(name, 255);
  let { trueType } = kind;
  const findings: Finding[] = [];
  const zip = kind.zip || others.some(isZipName);
  if (octets.length > 0 && (zip || kind.packed !== undefined)) {
    const as = { zip, packed: kind.packed, names };
    const listed = await openArchive(octets, { as, inside: [...inside, shown], depth: 1, budget });
    for (const trait of listed.traits) traits.add(trait);
    findings.push(...listed.findings);
    trueType = listed.trueType ?? trueType;
  } else if (kind.oneNote && notesHold(octets)) traits.add('script');
  const own: Finding = {
    kind: 'attachment',
    name: shown,
    inside,
    declaredType: '',
    ...(trueType === undefined ? {} : { trueType }),
    size: octets.length,
    traits: [...traits],
  };
  return [own, ...findings];
}
