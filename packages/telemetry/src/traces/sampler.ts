import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import type { TraceSettings } from './settings.ts';

/** The sampler of the settings. A span with links is recorded in any case, because it is linked only to recorded spans. */
export function createSampler({ sampler, ratio }: Pick<TraceSettings, 'sampler' | 'ratio'>): Sampler {
  const standard = standardSampler(sampler, ratio);
  return {
    shouldSample(context, traceId, name, kind, attributes, links) {
      if (links.length > 0) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
      return standard.shouldSample(context, traceId, name, kind, attributes, links);
    },
    toString: () => standard.toString(),
  };
}

function standardSampler(name: TraceSettings['sampler'], ratio: number): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}
