import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.EmitStrategy;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.TimestampedWindowStore;
import org.apache.kafka.streams.state.ValueAndTimestamp;

/**
 * The job in Kafka Streams, in one of two ways.
 * `rollup`: a tumbling window of 10 s in the DSL, and a processor that adds 30 of them up as stream time goes on.
 * `hopping`: the DSL's hopping window, emitted on close.
 * Arguments: bootstrap servers, topic of outcomes, topic of counts, folder for state, grace in seconds, the way.
 */
public final class StreamsHop {
    private static final long STEP_MS = 10_000, SIZE_MS = 300_000;
    private static final Duration HOUR = Duration.ofHours(1);

    @JsonIgnoreProperties(ignoreUnknown = true)
    public record Outcome(String carrier, String region, String code) {}

    /** Outcomes, those of code 30003, those of absent subscribers. */
    public record Counts(long total, long n30003, long absent) {
        Counts plus(Counts other, int sign) {
            return new Counts(total + sign * other.total, n30003 + sign * other.n30003, absent + sign * other.absent);
        }

        Counts with(byte kind) {
            return new Counts(total + 1, n30003 + (kind == 1 ? 1 : 0), absent + (kind > 0 ? 1 : 0));
        }
    }

    private static final Counts NONE = new Counts(0, 0, 0);
    private static final ObjectReader READER = new ObjectMapper().readerFor(Outcome.class);
    private static final Serde<Counts> COUNTS = Serdes.serdeFrom(
            (topic, c) -> c == null ? null
                    : ByteBuffer.allocate(24).putLong(c.total).putLong(c.n30003).putLong(c.absent).array(),
            (topic, raw) -> {
                if (raw == null) return null;
                ByteBuffer b = ByteBuffer.wrap(raw);
                return new Counts(b.getLong(), b.getLong(), b.getLong());
            });
    private static final Serde<Byte> KIND = Serdes.serdeFrom(
            (topic, kind) -> kind == null ? null : new byte[] {kind}, (topic, raw) -> raw == null ? null : raw[0]);

    private static KeyValue<String, Byte> read(byte[] value) {
        try {
            Outcome o = READER.readValue(value);
            byte kind = (byte) ("30003".equals(o.code) ? 1 : "63036".equals(o.code) ? 2 : 0);
            return KeyValue.pair(o.carrier + "|" + o.region, kind);
        } catch (java.io.IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static byte[] row(String pair, long endMs, Counts c) {
        int cut = pair.indexOf('|');
        return ("{\"carrier\":\"" + pair.substring(0, cut) + "\",\"region\":\"" + pair.substring(cut + 1)
                + "\",\"end_ms\":" + endMs + ",\"total\":" + c.total + ",\"n30003\":" + c.n30003 + ",\"absent\":"
                + c.absent + "}").getBytes(StandardCharsets.US_ASCII);
    }

    /** Sums of 30 buckets per pair: each step of stream time adds the newest closed one and takes the oldest away. */
    private static final class RollUp implements Processor<Windowed<String>, Counts, String, byte[]> {
        private final long graceMs;
        private final Map<String, Counts> sums = new HashMap<>();
        private TimestampedWindowStore<String, Counts> buckets;
        private ProcessorContext<String, byte[]> context;
        private long nextEndMs = -1;

        RollUp(long graceMs) {
            this.graceMs = graceMs;
        }

        @Override
        public void init(ProcessorContext<String, byte[]> context) {
            this.context = context;
            buckets = context.getStateStore("buckets");
            context.schedule(Duration.ofMillis(STEP_MS), PunctuationType.STREAM_TIME, this::closeUpTo);
        }

        @Override
        public void process(Record<Windowed<String>, Counts> record) {}

        private void closeUpTo(long streamMs) {
            long lastEndMs = (streamMs - graceMs) / STEP_MS * STEP_MS;
            if (nextEndMs < 0) nextEndMs = lastEndMs - SIZE_MS; // after a restart this fills the sums again
            for (; nextEndMs <= lastEndMs; nextEndMs += STEP_MS) {
                add(nextEndMs - STEP_MS, 1);
                add(nextEndMs - STEP_MS - SIZE_MS, -1);
                sums.values().removeIf(c -> c.total == 0);
                long end = nextEndMs;
                sums.forEach((pair, c) -> context.forward(new Record<>(pair, row(pair, end, c), end)));
            }
        }

        private void add(long startMs, int sign) {
            try (KeyValueIterator<Windowed<String>, ValueAndTimestamp<Counts>> found =
                    buckets.fetchAll(startMs, startMs)) {
                while (found.hasNext()) {
                    var each = found.next();
                    sums.merge(each.key.key(), NONE.plus(each.value.value(), sign), (a, b) -> a.plus(b, 1));
                }
            }
        }
    }

    private static KStream<String, byte[]> rollUp(KGroupedStream<String, Byte> outcomes, Duration grace) {
        Duration size = Duration.ofMillis(STEP_MS);
        var store = Stores.inMemoryWindowStore("buckets", grace.plus(HOUR), size, false);
        return outcomes.windowedBy(TimeWindows.ofSizeAndGrace(size, grace))
                .aggregate(() -> NONE, (pair, kind, c) -> c.with(kind),
                        Materialized.<String, Counts>as(store).withKeySerde(Serdes.String()).withValueSerde(COUNTS)
                                .withCachingDisabled())
                .toStream()
                .process(() -> new RollUp(grace.toMillis()), "buckets");
    }

    private static KStream<String, byte[]> hopping(KGroupedStream<String, Byte> outcomes, Duration grace) {
        Duration size = Duration.ofMillis(SIZE_MS), step = Duration.ofMillis(STEP_MS);
        var store = Stores.inMemoryWindowStore("windows", grace.plus(HOUR), size, false);
        return outcomes.windowedBy(TimeWindows.ofSizeAndGrace(size, grace).advanceBy(step))
                .emitStrategy(EmitStrategy.onWindowClose())
                .aggregate(() -> NONE, (pair, kind, c) -> c.with(kind),
                        Materialized.<String, Counts>as(store).withKeySerde(Serdes.String()).withValueSerde(COUNTS)
                                .withCachingDisabled())
                .toStream()
                .map((window, c) -> KeyValue.pair(window.key(), row(window.key(), window.window().end(), c)));
    }

    public static void main(String[] args) throws InterruptedException {
        Duration grace = Duration.ofSeconds(Long.parseLong(args[4]));
        StreamsBuilder builder = new StreamsBuilder();
        KGroupedStream<String, Byte> outcomes = builder
                .stream(args[1], Consumed.with(Serdes.ByteArray(), Serdes.ByteArray()))
                .map((key, value) -> read(value))
                .groupByKey(Grouped.with(Serdes.String(), KIND));
        (args[5].equals("rollup") ? rollUp(outcomes, grace) : hopping(outcomes, grace))
                .to(args[2], Produced.with(Serdes.String(), Serdes.ByteArray()));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(args));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
        new CountDownLatch(1).await();
    }

    private static Properties settings(String[] args) {
        Properties p = new Properties();
        p.put("application.id", args[2] + "-streams");
        p.put("bootstrap.servers", args[0]);
        p.put("state.dir", args[3]);
        p.put("auto.offset.reset", "earliest");
        p.put("num.stream.threads", "2");
        p.put("commit.interval.ms", "5000");
        p.put("statestore.cache.max.bytes", String.valueOf(64L << 20));
        p.put("max.poll.records", "5000");
        p.put("producer.linger.ms", "100");
        p.put("producer.batch.size", "131072");
        // Not throttled to one emission a second of the wall clock, which is for live traffic.
        p.put("__emit.interval.ms.kstream.windowed.aggregation__", "0");
        return p;
    }
}
