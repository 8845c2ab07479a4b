import { randomFillSync } from 'node:crypto';
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { parseTraceParent, W3CTraceContextPropagator } from '@opentelemetry/core';
import { errorTypeOf } from './error-type.ts';

/** W3C trace context as transmitted in headers: https://www.w3.org/TR/trace-context/ */
export type TraceCarrier = { traceparent?: string | undefined; tracestate?: string | undefined };

/** The description of a span. Names and values must not contain personal data, because spans leave the installation. */
export type SpanStart = {
  /** One of few values: the name contains no ids. */
  name: string;
  /** Default: INTERNAL. */
  kind?: SpanKind;
  /** Called only if the span is recorded. */
  attributes?: () => Attributes;
};

/** Generates the ids of spans and traces, for the recorder of spans. */
export type TraceIds = { generateTraceId(): string; generateSpanId(): string };

let registered = false;
/** Records spans. Without it, only their ids are generated, at a tenth of the cost. */
let tracer: Tracer | undefined;
/** The id of the next trace that starts, used within one call. */
let chosenTraceId: string | undefined;

const randomPool = Buffer.alloc(4_096);
let usedOfPool = randomPool.length;

/** Reading random bytes in blocks costs a tenth of reading them for each id. */
function randomHex(bytes: number): string {
  if (usedOfPool + bytes > randomPool.length) {
    randomFillSync(randomPool);
    usedOfPool = 0;
  }
  usedOfPool += bytes;
  return randomPool.toString('hex', usedOfPool - bytes, usedOfPool);
}

export const traceIds: TraceIds = {
  generateTraceId: () => chosenTraceId ?? randomHex(16),
  generateSpanId: () => randomHex(8),
};

/** Registers this process for trace context. Idempotent, because OpenTelemetry's registrations are global to a process, and tests run several services in one. */
export function registerTracing(): void {
  if (registered) return;
  registered = true;
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
}

/** Records the spans of this process from now on. @returns a function that ends the recording. */
export function recordSpans(recorder: Tracer): () => void {
  tracer = recorder;
  return () => {
    if (tracer === recorder) tracer = undefined;
  };
}

/** Returns the active trace as headers to send; empty outside a trace. */
export function injectTrace(): TraceCarrier {
  return carrierOf(context.active());
}

/** Returns the id of the active trace, 32 hex digits, for logs. */
export function traceId(): string | undefined {
  return trace.getActiveSpan()?.spanContext().traceId;
}

/** Returns the id of the trace that headers name, for log lines about their message outside its trace; undefined for an invalid value. */
export function traceIdIn(headers: Readonly<Record<string, unknown>>): string | undefined {
  const { traceparent } = headers;
  return typeof traceparent === 'string' ? parseTraceParent(traceparent)?.traceId : undefined;
}

/** The active span if its trace is recorded, even if it has ended. Work that runs elsewhere, such as in a batch, can link to it. */
export function recordedSpan(): SpanContext | undefined {
  if (tracer === undefined) return undefined;
  const active = trace.getActiveSpan()?.spanContext();
  return isSampled(active) ? active : undefined;
}

const unrecorded = trace.wrapSpanContext({ traceId: '', spanId: '', traceFlags: TraceFlags.NONE });

/**
 * Runs `fn` in a child span of the active one. Without an active recorded span, it only runs `fn`, so that neither unsampled requests nor background
 * loops pay for spans. The span ends with `fn`. A rejection marks it as failed and is passed on.
 */
export async function withSpan<T>(start: SpanStart, fn: (span: Span) => Promise<T>): Promise<T> {
  if (recordedSpan() === undefined) return await fn(unrecorded);
  return await inSpan(context.active(), start, fn);
}

/**
 * Runs `fn` in its own span, which continues the trace of the carrier, or starts a new trace if the carrier has no valid one. The span ends with
 * `fn`. A rejection marks it as failed and is passed on.
 */
export async function withExtractedTrace<T>(
  carrier: TraceCarrier,
  start: SpanStart,
  fn: (span: Span) => Promise<T>,
): Promise<T> {
  return await inSpan(extracted(carrier), start, fn);
}

/**
 * Runs `fn`, which does the work of several traces together, in a span that is linked to theirs: a span has only one parent. If none of these traces
 * is recorded, it only runs `fn`.
 */
export async function withLinkedSpan<T>(
  links: readonly (SpanContext | undefined)[],
  start: SpanStart,
  fn: () => Promise<T>,
): Promise<T> {
  const recorded = links.filter((link) => link !== undefined);
  if (tracer === undefined || recorded.length === 0) return await context.with(ROOT_CONTEXT, fn);
  return await inSpan(ROOT_CONTEXT, start, fn, recorded);
}

async function inSpan<T>(
  parent: Context,
  start: SpanStart,
  fn: (span: Span) => Promise<T>,
  links: readonly SpanContext[] = [],
): Promise<T> {
  const span = startSpan(parent, start, links);
  try {
    return await context.with(trace.setSpan(parent, span), fn, undefined, span);
  } catch (error) {
    failSpan(span, errorTypeOf(error));
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed, with a code or a class of errors, one of few values. Messages of errors may contain personal data. */
export function failSpan(span: Span, errorType: string): void {
  if (!span.isRecording()) return;
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/**
 * Runs `fn` immediately in a span that continues the trace of the carrier, for work that ends with an event instead of a promise; the caller ends the
 * span. Without a valid trace in the carrier, a new one starts, with the id `newTraceId` if it is the id of a trace.
 */
export function openExtractedTrace(
  { carrier, newTraceId }: { carrier: TraceCarrier; newTraceId?: string },
  start: SpanStart,
  fn: (span: Span) => void,
): void {
  const parent = extracted(carrier);
  chosenTraceId = newTraceId !== undefined && isTraceId(newTraceId) ? newTraceId : undefined;
  const span = startSpan(parent, start);
  chosenTraceId = undefined;
  context.with(trace.setSpan(parent, span), fn, undefined, span);
}

/** Runs `fn` in a trace that is not recorded, for requests of probes. */
export function withoutRecording(fn: () => void): void {
  context.with(trace.setSpan(ROOT_CONTEXT, unrecordedSpan(undefined)), fn);
}

/**
 * Starts the span of a message that is sent, which continues the trace of its headers. The span is not active. `carrier` replaces these headers.
 * @returns undefined if the headers are to be sent unchanged.
 */
export function openMessageSpan(
  headers: TraceCarrier,
  start: SpanStart,
): { span: Span; carrier: TraceCarrier } | undefined {
  if (tracer === undefined) return undefined;
  const parent = extracted(headers);
  const isRoot = parent === ROOT_CONTEXT;
  // a message of an unsampled trace needs no other span id
  if (!isRoot && !isSampled(trace.getSpanContext(parent))) return undefined;
  const span = startSpan(parent, start);
  return { span, carrier: carrierOf(trace.setSpan(parent, span)) };
}

function isSampled(of: SpanContext | undefined): of is SpanContext {
  return of !== undefined && (of.traceFlags & TraceFlags.SAMPLED) !== 0;
}

function isTraceId(text: string): boolean {
  return /^(?!0{32})[0-9a-f]{32}$/.test(text);
}

function extracted(carrier: TraceCarrier): Context {
  return carrier.traceparent === undefined ? ROOT_CONTEXT : propagation.extract(ROOT_CONTEXT, carrier);
}

function carrierOf(of: Context): TraceCarrier {
  const carrier: TraceCarrier = {};
  propagation.inject(of, carrier);
  return carrier;
}

function startSpan(parent: Context, { name, kind, attributes }: SpanStart, links: readonly SpanContext[] = []): Span {
  if (tracer === undefined) return unrecordedSpan(trace.getSpanContext(parent));
  const span = tracer.startSpan(
    name,
    { kind: kind ?? SpanKind.INTERNAL, links: links.map((linked) => ({ context: linked })) },
    parent,
  );
  if (attributes !== undefined && span.isRecording()) span.setAttributes(attributes());
  return span;
}

/** The trace continues with a span id of this process, so that recipients see that the trace passed through this process. */
function unrecordedSpan(parent: SpanContext | undefined): Span {
  const spanId = traceIds.generateSpanId();
  if (parent !== undefined) return trace.wrapSpanContext({ ...parent, spanId, isRemote: false });
  return trace.wrapSpanContext({ traceId: traceIds.generateTraceId(), spanId, traceFlags: TraceFlags.NONE });
}

export { SpanKind, type Span, type SpanContext };
