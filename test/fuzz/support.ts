/** What several targets need of the product's configuration. */
import { configSchema } from '../../src/config/schema.ts';
import type { InspectLimits } from '../../src/inspect/settings.ts';
import { BASE_CONFIG } from '../accept/harness.ts';

let limits: InspectLimits | undefined;

/** As an office has them that changed nothing. */
export function parseConfiguredLimits(): InspectLimits {
  limits ??= configSchema.parse(BASE_CONFIG).limits;
  return limits;
}
