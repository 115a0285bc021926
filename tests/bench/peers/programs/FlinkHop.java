import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;

/**
 * The job as Flink SQL: the window function HOP, which keeps slices of 10 s and shares them between windows.
 * Arguments: bootstrap servers, topic of outcomes, topic of counts, folder for checkpoints, grace in seconds.
 */
public final class FlinkHop {
    private static final String OUTCOMES = """
            CREATE TABLE outcomes (
              carrier STRING, region STRING, code STRING,
              happened TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
              WATERMARK FOR happened AS happened - INTERVAL '%4$s' SECOND
            ) WITH (
              'connector' = 'kafka', 'topic' = '%2$s', 'properties.bootstrap.servers' = '%1$s',
              'properties.group.id' = '%2$s-flink', 'scan.startup.mode' = 'earliest-offset', 'format' = 'json'
            )""";
    private static final String COUNTS = """
            CREATE TABLE counts (
              carrier STRING, region STRING, end_ms BIGINT, total BIGINT, n30003 BIGINT, absent BIGINT
            ) WITH (
              'connector' = 'kafka', 'topic' = '%3$s', 'properties.bootstrap.servers' = '%1$s', 'format' = 'json',
              'sink.delivery-guarantee' = 'at-least-once', 'properties.linger.ms' = '20'
            )""";
    private static final String JOB = """
            INSERT INTO counts
            SELECT carrier, region,
                   1000 * CAST(TIMESTAMPDIFF(SECOND, TIMESTAMP '1970-01-01 00:00:00', window_end) AS BIGINT),
                   COUNT(*), COUNT(*) FILTER (WHERE code = '30003'),
                   COUNT(*) FILTER (WHERE code IN ('30003', '63036'))
            FROM TABLE(HOP(TABLE outcomes, DESCRIPTOR(happened), INTERVAL '10' SECOND, INTERVAL '5' MINUTE))
            GROUP BY carrier, region, window_start, window_end""";

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("execution.checkpointing.dir", "file://" + args[3]);
        settings.setString("execution.checkpointing.interval", "30 s");
        settings.setString("state.backend.type", "hashmap");
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("taskmanager.numberOfTaskSlots", "2");
        settings.setString("table.local-time-zone", "UTC");
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(2, settings);
        StreamTableEnvironment tables = StreamTableEnvironment.create(flink);
        tables.getConfig().set("table.local-time-zone", "UTC");
        tables.executeSql(OUTCOMES.formatted(args[0], args[1], args[2], args[4]));
        tables.executeSql(COUNTS.formatted(args[0], args[1], args[2]));
        tables.executeSql(JOB).await();
    }
}
