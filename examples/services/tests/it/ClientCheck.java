import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client against the broker of a test. Arguments: write or read, plain address, SASL address. */
public final class ClientCheck {
    private static final String TOPIC = "checked";

    public static void main(String[] args) throws Exception {
        if (args[0].equals("write")) {
            write(args[1], args[2]);
            // The SASL listener with the new protocol, the plain one with the classic, each with a short session.
            read(sasl(args[2], "secret"), "consumer", Map.of(), 3);
            read(plain(args[1]), "classic", Map.of("session.timeout.ms", "6000"), 3);
            refused(args[2]);
        } else {
            // Committed before the broker was killed: nothing is left to read, and a new group reads all.
            read(plain(args[1]), "consumer", Map.of(), 0);
            read(plain(args[1]), "classic", Map.of("group.id", "late"), 3);
        }
        System.out.println("checked");
    }

    private static void write(String plain, String sasl) throws Exception {
        try (Admin admin = Admin.create(plain(plain))) {
            admin.createTopics(List.of(new NewTopic(TOPIC, 2, (short) 1))).all().get();
        }
        Properties properties = sasl(sasl, "secret");
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            for (int i = 0; i < 3; i++) {
                producer.send(new ProducerRecord<>(TOPIC, i % 2, "key", "value " + i)).get();
            }
        }
    }

    private static void read(Properties properties, String protocol, Map<String, String> more, int expected) {
        properties.put("group.protocol", protocol);
        properties.put("group.id", protocol);
        properties.put("auto.offset.reset", "earliest");
        properties.putAll(more);
        int seen = 0;
        try (var consumer = new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(TOPIC));
            long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (seen < Math.max(expected, 1) && System.nanoTime() < deadline) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    seen++;
                }
                if (expected == 0 && !consumer.assignment().isEmpty()) {
                    deadline = Math.min(deadline, System.nanoTime() + Duration.ofSeconds(1).toNanos());
                }
            }
            if (consumer.assignment().isEmpty()) {
                throw new IllegalStateException(protocol + ": nothing was assigned");
            }
            consumer.commitSync();
        }
        if (seen != expected) {
            throw new IllegalStateException(protocol + ": " + seen + " records instead of " + expected);
        }
    }

    private static void refused(String sasl) throws Exception {
        try (Admin admin = Admin.create(sasl(sasl, "wrong"))) {
            admin.describeCluster().nodes().get();
            throw new IllegalStateException("a wrong password was accepted");
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof SaslAuthenticationException)) {
                throw e;
            }
        }
    }

    private static Properties plain(String address) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", address);
        return properties;
    }

    private static Properties sasl(String address, String password) {
        Properties properties = plain(address);
        properties.put("security.protocol", "SASL_PLAINTEXT");
        properties.put("sasl.mechanism", "PLAIN");
        properties.put("sasl.jaas.config", "org.apache.kafka.common.security.plain.PlainLoginModule required"
                + " username=\"ann\" password=\"" + password + "\";");
        return properties;
    }
}
