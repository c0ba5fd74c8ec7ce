/** The resolver as the configuration of this moment wants it. */
import { createResolver, type Resolver } from '../base/resolver.ts';
import type { Config } from '../config/schema.ts';

type DnsSettings = Config['dns'];

/** DNS servers may change with the configuration: what is made of them is made anew then. */
export function followed<T>(config: () => { dns: DnsSettings }, make: (settings: DnsSettings) => T): () => T {
  let settings = config().dns;
  let made = make(settings);
  return () => {
    const next = config().dns;
    if (next !== settings) {
      settings = next;
      made = make(settings);
    }
    return made;
  };
}

export function followedResolver(config: () => { dns: DnsSettings }): Resolver {
  const current = followed(config, createResolver);
  return {
    query: (name, type) => current().query(name, type),
    a: (name) => current().a(name),
    aaaa: (name) => current().aaaa(name),
    mx: (name) => current().mx(name),
    txt: (name) => current().txt(name),
    ptr: (address) => current().ptr(address),
  };
}
