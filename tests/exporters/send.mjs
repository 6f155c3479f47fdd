// Sends spans, logs and metrics with each stock exporter of OpenTelemetry JS, and prints what it sent as JSON.
//   node send.mjs HTTP_URL GRPC_ADDRESS SERVICE COUNT
import { trace, ROOT_CONTEXT, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as GrpcTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as JsonTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [http, grpc, service, countText] = process.argv.slice(2);
const count = Number(countText);
const gzip = { compression: CompressionAlgorithm.GZIP };
const traces = { url: `${http}/v1/traces` };
const remote = { url: `http://${grpc}` };

const spanExporters = {
  'proto': new ProtoTraceExporter(traces),
  'proto-gzip': new ProtoTraceExporter({ ...traces, ...gzip }),
  'json': new JsonTraceExporter(traces),
  'json-gzip': new JsonTraceExporter({ ...traces, ...gzip }),
  'grpc': new GrpcTraceExporter(remote),
  'grpc-gzip': new GrpcTraceExporter({ ...remote, ...gzip }),
};
const logExporters = {
  'proto': new OTLPLogExporter({ url: `${http}/v1/logs` }),
  'proto-gzip': new OTLPLogExporter({ url: `${http}/v1/logs`, ...gzip }),
};

function resource() {
  return resourceFromAttributes({ 'service.name': service, 'service.version': 'v7' });
}

async function sendSpans(way, exporter) {
  const provider = new BasicTracerProvider({
    resource: resource(),
    spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: 2 * count })],
  });
  const tracer = provider.getTracer('exporters');
  let traceId = '';
  for (let i = 0; i < count; i++) {
    const span = tracer.startSpan('chat m', { kind: SpanKind.CLIENT, root: true }, ROOT_CONTEXT);
    span.setAttributes({
      'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm', 'gen_ai.usage.input_tokens': 12,
      'gen_ai.request.temperature': 0.5, 'gen_ai.request.stream': true, 'tailwatch.tenant': way,
      'gen_ai.response.finish_reasons': ['stop', 'length'], 'text': 'häßlich 𝄞',
    });
    const child = tracer.startSpan('tool', {}, trace.setSpan(ROOT_CONTEXT, span));
    child.addEvent('called', { place: i });
    child.end();
    if (i === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: 'failed' });
    span.end();
    traceId ||= span.spanContext().traceId;
  }
  await provider.forceFlush();
  await provider.shutdown();
  return traceId;
}

async function sendLogs(way, exporter) {
  const provider = new LoggerProvider({
    resource: resource(),
    processors: [new BatchLogRecordProcessor(exporter, { maxQueueSize: 2 * count })],
  });
  const logger = provider.getLogger('exporters');
  for (let i = 0; i < count; i++) {
    logger.emit({
      eventName: 'tailwatch.inference', timestamp: Date.now(),
      attributes: {
        'gen_ai.operation.name': `log-${way}`, 'tailwatch.confidence': 0.75, 'tailwatch.feature.topic': 'news',
      },
    });
  }
  await provider.forceFlush();
  await provider.shutdown();
}

async function sendMetrics() {
  const exporter = new OTLPMetricExporter({ url: `${http}/v1/metrics` });
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ resource: resource(), readers: [reader] });
  const meter = provider.getMeter('exporters');
  const waiting = meter.createObservableGauge('vllm:num_requests_waiting');
  waiting.addCallback((result) => result.observe(count));
  const durations = meter.createHistogram('exporters.duration', { unit: 's' });
  for (let i = 0; i < count; i++) durations.record(0.25);
  meter.createCounter('exporters.requests').add(count);
  await provider.forceFlush();
  await provider.shutdown();
}

const sent = {};
for (const [way, exporter] of Object.entries(spanExporters)) sent[way] = await sendSpans(way, exporter);
for (const [way, exporter] of Object.entries(logExporters)) await sendLogs(way, exporter);
await sendMetrics();
console.log(JSON.stringify(sent));
