import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.serialization.SimpleStringEncoder;
import org.apache.flink.api.common.serialization.SimpleStringSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.file.sink.FileSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.filesystem.OutputFileConfig;
import org.apache.flink.streaming.api.functions.sink.filesystem.bucketassigners.BasePathBucketAssigner;
import org.apache.flink.streaming.api.functions.sink.filesystem.rollingpolicies.OnCheckpointRollingPolicy;

/**
 * Messages of a topic of Kafka as files of JSON lines in a folder of the drop zone, each message once.
 *
 * <p>A file has a name that begins with a point while it is written, which the intake passes over, and gets its last name with the
 * checkpoint that it is part of. A job that was killed goes on from its newest checkpoint.
 *
 * <p>Arguments: the servers of Kafka, the topic, the folder of the source below data/raw, and a folder for checkpoints.
 */
public final class TopicToDropZone {
    private TopicToDropZone() {}

    public static void main(String[] given) throws Exception {
        Path checkpoints = Path.of(given[3]).toAbsolutePath();
        Configuration settings = new Configuration();
        settings.setString("execution.checkpointing.interval", "2 s");
        settings.setString("execution.checkpointing.dir", checkpoints.toUri().toString());
        settings.setString("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION");
        newest(checkpoints).ifPresent(found -> settings.setString("execution.state-recovery.path", found.toUri().toString()));

        StreamExecutionEnvironment flink = StreamExecutionEnvironment.getExecutionEnvironment(settings);
        flink.setParallelism(1);
        KafkaSource<String> topic = KafkaSource.<String>builder()
                .setBootstrapServers(given[0])
                .setTopics(given[1])
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setProperty("isolation.level", "read_committed")
                .setValueOnlyDeserializer(new SimpleStringSchema())
                .build();
        FileSink<String> files = FileSink
                .forRowFormat(new org.apache.flink.core.fs.Path(Path.of(given[2]).toUri()), new SimpleStringEncoder<String>())
                .withBucketAssigner(new BasePathBucketAssigner<>())
                .withRollingPolicy(OnCheckpointRollingPolicy.build())
                .withOutputFileConfig(OutputFileConfig.builder().withPartPrefix(given[1]).withPartSuffix(".jsonl").build())
                .build();
        flink.fromSource(topic, WatermarkStrategy.noWatermarks(), "topic").sinkTo(files);
        flink.execute("topic to drop zone");
    }

    /** The newest checkpoint that was finished. */
    private static Optional<Path> newest(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return Optional.empty();
        }
        try (Stream<Path> all = Files.walk(folder, 2)) {
            return all.filter(one -> Files.exists(one.resolve("_metadata")))
                    .max(Comparator.comparingLong(one -> one.resolve("_metadata").toFile().lastModified()));
        }
    }
}
