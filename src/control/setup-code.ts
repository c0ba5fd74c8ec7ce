/**
 * How a setup code is shown: read out over a telephone, so in two groups. Console, banner and command line show it; whoever types it
 * may leave the groups out (host/claim.ts). It never goes over the network.
 */
export function groupSetupCode(code: string): string {
  return `${code.slice(0, 5)}-${code.slice(5)}`;
}
