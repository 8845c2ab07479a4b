import { expect } from 'chai';
import { observabilityEnv, readEnv } from '../src/index.ts';

describe('The environment of traces and error reports', () => {
  const read = (source: Record<string, string>) => readEnv(observabilityEnv, source);

  it('sends nothing by default', () => {
    expect(read({})).to.deep.equal({
      OTEL_EXPORTER_OTLP_HEADERS: {},
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_RESOURCE_ATTRIBUTES: {},
      OTEL_TRACES_SAMPLER: 'parentbased_always_on',
      OTEL_TRACES_SAMPLER_ARG: 1,
      OTEL_BSP_MAX_QUEUE_SIZE: 2_048,
      SENTRY_ENVIRONMENT: 'production',
    });
  });

  it('has lists of names and percent-encoded values', () => {
    const OTEL_EXPORTER_OTLP_HEADERS = 'api-key=a%2Cb=, x = y ,';
    expect(read({ OTEL_EXPORTER_OTLP_HEADERS }).OTEL_EXPORTER_OTLP_HEADERS).to.deep.equal({
      'api-key': 'a,b=',
      x: 'y',
    });
  });

  it('has shares from 0 to 1', () => {
    for (const share of ['0', '0.1', '1', '1.0']) {
      expect(read({ OTEL_TRACES_SAMPLER_ARG: share }).OTEL_TRACES_SAMPLER_ARG).to.equal(Number(share));
    }
  });

  const invalid: [string, string][] = [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'sEcReT'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'key=sEcReT%'],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc'],
    ['OTEL_TRACES_SAMPLER', 'ratio'],
    ['OTEL_TRACES_SAMPLER_ARG', '10'],
    ['OTEL_TRACES_SAMPLER_ARG', '-0.1'],
    ['SENTRY_DSN', 'https://sEcReT@sentry.example.com'],
    ['SENTRY_ENVIRONMENT', 'two words'],
  ];
  for (const [name, value] of invalid) {
    it(`refuses ${name}=${value} without repeating a secret`, () => {
      expect(() => read({ [name]: value }))
        .to.throw(name)
        .with.property('message')
        .that.does.not.include('sEcReT');
    });
  }
});
