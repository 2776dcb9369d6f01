import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Date;
import org.apache.kafka.connect.data.Decimal;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.data.Time;
import org.apache.kafka.connect.data.Timestamp;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/** What Kafka's own transforms, and Debezium's unwrap, make of generated records, as lines of JSON. */
public class Generate {
    static final String PACKAGE = "org.apache.kafka.connect.transforms.";
    static final ObjectMapper JSON = new ObjectMapper();
    static final Random random = new Random(20260709);
    static final String[] NAMES = {"a", "b", "c", "d", "e.f", "time", "né\"e"};
    static final long DAY = 86_400_000L;

    record In(String topic, String key, String value, List<String[]> headers, Long timestamp, boolean schemas) {}

    public static void main(String[] args) throws Exception {
        var written = new LinkedHashSet<String>();
        for (String name : List.of("Cast", "ExtractField", "Flatten", "HeaderFrom", "HoistField", "InsertField", "MaskField",
                "ReplaceField", "SetSchemaMetadata", "TimestampConverter")) {
            for (int i = 0; i < count(name); i++) {
                boolean key = random.nextInt(6) == 0;
                vector(name + (key ? "$Key" : "$Value"), config(name), key, written);
            }
        }
        for (String name : List.of("DropHeaders", "Filter", "InsertHeader", "RegexRouter", "TimestampRouter", "ValueToKey",
                "predicates.HasHeaderKey", "predicates.RecordIsTombstone", "predicates.TopicNameMatches")) {
            for (int i = 0; i < count(name); i++) {
                vector(name, config(name), false, written);
            }
        }
        for (int i = 0; i < 700; i++) unwrap(written);
        try (var out = new PrintWriter(Files.newBufferedWriter(Path.of(args[0]), StandardCharsets.UTF_8))) {
            written.forEach(line -> out.print(line + "\n"));
        }
        System.out.println(written.size() + " vectors");
    }

    static int count(String name) {
        return switch (name) {
            case "Filter", "predicates.RecordIsTombstone" -> 20;
            case "Cast", "TimestampConverter" -> 780;
            case "HoistField", "SetSchemaMetadata" -> 120;
            case "RegexRouter", "TimestampRouter" -> 250;
            case "DropHeaders", "InsertHeader", "predicates.HasHeaderKey", "predicates.TopicNameMatches" -> 120;
            default -> 360;
        };
    }

    // ---- configurations

    static String name() {
        return random.nextInt(12) == 0 ? "missing" : NAMES[random.nextInt(NAMES.length - 1)];
    }

    static String names() {
        var names = new LinkedHashSet<String>();
        for (int i = random.nextInt(3); i >= 0; i--) names.add(name());
        return String.join(",", names);
    }

    static String one(String... of) {
        return of[random.nextInt(of.length)];
    }

    static boolean chance(int in) {
        return random.nextInt(in) == 0;
    }

    static Map<String, String> config(String name) {
        var c = new TreeMap<String, String>();
        String[] types = {"int8", "int16", "int32", "int64", "float32", "float64", "boolean", "string", "STRING", " int32 "};
        switch (name) {
            case "Cast" -> {
                if (chance(6)) c.put("spec", one(types));
                else {
                    var specs = new ArrayList<String>();
                    for (int i = random.nextInt(3); i >= 0; i--) specs.add(name() + ":" + one(types).trim());
                    if (chance(40)) specs.add(one("int8", "a:b:c", "a:int", "a:bytes", "a:array"));
                    c.put("spec", String.join(",", specs));
                }
                if (chance(60)) c.put("spec", "");
            }
            case "ExtractField" -> {
                c.put("field", name());
                if (chance(3)) {
                    c.put("field.syntax.version", "V2");
                    c.put("field", one("d.a", "d.b", "a", "`e.f`", "d.missing", "c.a", "d.d.a", "`a", "a.b"));
                }
            }
            case "Flatten" -> {
                if (chance(2)) c.put("delimiter", one("_", ".", "", "::", "\""));
            }
            case "HeaderFrom" -> {
                c.put("fields", names());
                int n = c.get("fields").split(",").length;
                var headers = new ArrayList<String>();
                for (int i = 0; i < n; i++) headers.add(one("h1", "h2", "x"));
                if (chance(20)) headers.add("more");
                c.put("headers", String.join(",", headers));
                c.put("operation", chance(30) ? "take" : one("move", "copy"));
            }
            case "HoistField" -> c.put("field", one("a", "x", "e.f"));
            case "InsertField" -> {
                String[] marks = {"", "?", "!"};
                if (chance(2)) c.put("topic.field", one("topic", "a") + one(marks));
                if (chance(2)) c.put("partition.field", "partition" + one(marks));
                if (chance(2)) c.put("offset.field", one("offset", "b", "new") + one(marks));
                if (chance(2)) c.put("timestamp.field", one("ts", "c") + one("", "?"));
                if (chance(2)) {
                    c.put("static.field", one("static", "d", "né\"w") + one(marks));
                    if (!chance(12)) c.put("static.value", one("v", "", "a \"quoted\" \\ value", "ü"));
                }
            }
            case "MaskField" -> {
                c.put("fields", names());
                if (chance(2)) c.put("replacement", one("***", "42", "-7", "1.5", "300", "é\"", "1e3", "99999999999999999999", "+5"));
            }
            case "ReplaceField" -> {
                if (chance(2)) c.put("exclude", names());
                if (chance(2)) c.put("include", names());
                if (chance(2)) c.put("renames", name() + ":" + one("new", "other", "né") + (chance(3) ? ",b:z" : ""));
                if (chance(30)) c.put("renames", one("a", "a:b:c", "a:"));
            }
            case "SetSchemaMetadata" -> {
                if (!chance(3)) c.put("schema.name", one("x.Y", "né"));
                if (chance(2)) c.put("schema.version", one("7", "-1"));
            }
            case "TimestampConverter" -> {
                if (!chance(4)) c.put("field", chance(3) ? name() : "time");
                c.put("target.type", one("string", "unix", "Date", "Time", "Timestamp", "unix", "string"));
                if (chance(60)) c.put("target.type", "date");
                if (!chance(5)) {
                    c.put("format", one("yyyy-MM-dd", "yyyy-MM-dd HH:mm:ss.SSS", "yyyyMMddHHmmss", "EEE, d MMM yyyy HH:mm:ss Z",
                            "yyyy-MM-dd'T'HH:mm:ssXXX", "h:mm a", "D yyyy"));
                }
                if (chance(2)) c.put("unix.precision", one("seconds", "milliseconds", "microseconds", "nanoseconds"));
            }
            case "DropHeaders" -> c.put("headers", one("h1", "h1,h2", "x", "", "missing"));
            case "InsertHeader" -> {
                c.put("header", one("h1", "new"));
                c.put("value.literal", one("text", "1", "-300", "99999999999", "true", "null", "two words", "é", "a:b", "{", "[",
                        "2023-01-05", "12:30:00.000Z", "2023-01-05T12:30:00.000Z", "\"quoted\"", "[1,2]", "{\"a\":1}", "1.5", "0.1",
                        "3.14159265358979", "1.50", "1e3", " 1", "+5", "tru", "", "00012", "12345678901234567890123"));
            }
            case "RegexRouter" -> {
                c.put("regex", one("(.*)", "(.*)-([0-9]+)", "logs", "([a-z]+)\\.([a-z]+)", "(?<n>\\w+).*", "a|ab", "l(o)?gs", "",
                        "(?i)LOGS", "[a-z&&[^x]]+", "(x)?(.*)", "\\p{Lower}+", "(", "(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)"));
                c.put("replacement", one("$1", "new-$1", "$1$1", "x", "", "$0-copy", "\\$1", "a\\\\b", "$10", "${n}", "$2", "$1-$2"));
            }
            case "TimestampRouter" -> {
                if (chance(2)) c.put("topic.format", one("${topic}", "${timestamp}", "x-${topic}-${timestamp}-${topic}", "${other}${topic}", "$topic", "fixed"));
                if (chance(2)) c.put("timestamp.format", one("yyyy", "yyyy.MM.dd", "yyyy-MM-dd'T'HH", "EEE", "D", "SSS", "yy", "hha"));
            }
            case "ValueToKey" -> c.put("fields", names());
            case "predicates.HasHeaderKey" -> c.put("name", one("h1", "h2", "x", "H1", "missing", ""));
            case "predicates.TopicNameMatches" -> c.put("pattern", one("logs", "log", ".*", "logs|x", "[a-z]+", "(", "", "lo.s-\\d+"));
            default -> { }
        }
        if (random.nextInt(4) == 0 && !List.of("Flatten", "HoistField", "DropHeaders", "InsertHeader", "RegexRouter", "TimestampRouter",
                "Filter", "predicates.HasHeaderKey", "predicates.RecordIsTombstone", "predicates.TopicNameMatches").contains(name)) {
            c.put("replace.null.with.default", "false");
        }
        return c;
    }

    // ---- records

    static JsonConverter converter(boolean schemas, boolean key) {
        var converter = new JsonConverter();
        // What converters do about null is not what is compared: only the transforms' own replace.null.with.default is.
        converter.configure(Map.of("schemas.enable", schemas, "replace.null.with.default", false), key);
        return converter;
    }

    static final Map<Boolean, JsonConverter> CONVERTERS = Map.of(true, converter(true, false), false, converter(false, false));

    static In input() throws Exception {
        boolean schemas = random.nextBoolean();
        var headers = new ArrayList<String[]>();
        for (int i = random.nextInt(4); i > 0; i--) {
            headers.add(new String[] {one("h1", "h2", "x"), chance(5) ? null : one("1", "text", "é", "")});
        }
        Long timestamp = chance(8) ? null : time();
        if (timestamp != null && timestamp < 0) timestamp = -timestamp;
        String topic = one("logs", "logs-20160117", "orders.eu", "ab", "abcdefghij", "x-1", "LOGS");
        return new In(topic, data(schemas), data(schemas), headers, timestamp, schemas);
    }

    static long time() {
        return switch (random.nextInt(6)) {
            case 0 -> 0;
            case 1 -> random.nextInt(100_000) * DAY;
            case 2 -> 1_000L * random.nextInt();
            case 3 -> (long) (random.nextDouble() * 4e12);
            case 4 -> random.nextInt(2_000_000);
            default -> 1_700_000_000_000L + random.nextInt();
        };
    }

    /** A key or value as the JSON converter reads it; null is null. */
    static String data(boolean schemas) throws Exception {
        if (chance(14)) return null;
        if (!schemas) {
            String text = JSON.writeValueAsString(chance(9) ? plain(0) : object(0));
            return text.equals("null") ? null : text;
        }
        Schema schema = chance(7) ? schema(0, true).build() : struct(0, true);
        Object value = value(schema, 0);
        byte[] bytes = CONVERTERS.get(true).fromConnectData("t", schema, value);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    static Map<String, Object> object(int depth) {
        var object = new LinkedHashMap<String, Object>();
        for (int i = random.nextInt(6); i > 0; i--) {
            object.put(NAMES[random.nextInt(NAMES.length)], plain(depth));
        }
        if (depth == 0 && chance(2)) object.put("time", chance(4) ? plain(1) : (Object) (chance(2) ? text() : (Object) time()));
        return object;
    }

    static Object plain(int depth) {
        return switch (random.nextInt(depth > 2 ? 9 : 12)) {
            case 0 -> null;
            case 1 -> random.nextBoolean();
            case 2 -> random.nextInt(300) - 150;
            case 3 -> random.nextLong();
            case 4 -> random.nextInt() * 7L;
            case 5 -> (random.nextInt(2_000_000) - 1_000_000) / 64.0;
            case 6 -> random.nextGaussian() * Math.pow(10, random.nextInt(24) - 8);
            case 7, 8 -> text();
            case 9 -> List.of(1, "x", 2.5);
            case 10 -> List.of();
            default -> object(depth + 1);
        };
    }

    static String text() {
        return one("", "x", "42", "-129", "300", "40000", "3000000000", "99999999999999999999", "1.5", "-1e3", " 7", "+7", "7d", "true",
                "TRUE", "false", "é\"\\\n", "2023-01-05", "2023-02-30 01:02:03.004", "20230105010203", "Thu, 5 Jan 2023 01:02:03 +0800",
                "2023-01-05T01:02:03+08:00", "2023-01-05T01:02:03Z", "1:30 PM", "200 2023", "1582-10-10", "0x1p3", "1_0");
    }

    static Schema struct(int depth, boolean defaults) {
        SchemaBuilder struct = SchemaBuilder.struct();
        if (chance(3)) struct.name("rec.Name").version(2).doc("what \"it\" is");
        if (chance(4)) struct.optional();
        var names = new LinkedHashSet<String>();
        for (int i = random.nextInt(5); i > 0; i--) names.add(NAMES[random.nextInt(NAMES.length)]);
        if (depth == 0 && chance(2)) names.add("time");
        for (String name : names) {
            SchemaBuilder field;
            if (name.equals("time") && !chance(5)) {
                field = switch (random.nextInt(5)) {
                    case 0 -> SchemaBuilder.string();
                    case 1 -> SchemaBuilder.int64();
                    case 2 -> Date.builder();
                    case 3 -> Time.builder();
                    default -> Timestamp.builder();
                };
                if (chance(2)) field.optional();
                if (defaults && chance(5)) field.defaultValue(value(field, 9));
            } else {
                field = schema(depth + 1, defaults);
            }
            struct.field(name, field.build());
        }
        return struct.build();
    }

    static SchemaBuilder schema(int depth, boolean defaults) {
        SchemaBuilder schema = switch (random.nextInt(depth > 2 ? 14 : 16)) {
            case 0 -> SchemaBuilder.int8();
            case 1 -> SchemaBuilder.int16();
            case 2 -> SchemaBuilder.int32();
            case 3 -> SchemaBuilder.int64();
            case 4 -> SchemaBuilder.float32();
            case 5 -> SchemaBuilder.float64();
            case 6 -> SchemaBuilder.bool();
            case 7 -> SchemaBuilder.string();
            case 8 -> SchemaBuilder.bytes();
            case 9 -> Decimal.builder(random.nextInt(5));
            case 10 -> chance(2) ? Date.builder() : Time.builder();
            case 11 -> Timestamp.builder();
            case 12 -> SchemaBuilder.array(Schema.OPTIONAL_STRING_SCHEMA);
            case 13 -> chance(3) ? SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT32_SCHEMA) : SchemaBuilder.string();
            default -> {
                Schema inner = struct(depth, defaults);
                SchemaBuilder copy = SchemaBuilder.struct().name(inner.name());
                inner.fields().forEach(field -> copy.field(field.name(), field.schema()));
                yield copy;
            }
        };
        if (chance(2)) schema.optional();
        if (defaults && schema.type() != Schema.Type.STRUCT && chance(5)) schema.defaultValue(value(schema, 9));
        return schema;
    }

    static Object value(Schema schema, int depth) {
        if (schema.isOptional() && depth < 9 && chance(3)) return null;
        if (schema.name() != null) {
            switch (schema.name()) {
                case Decimal.LOGICAL_NAME:
                    int scale = Integer.parseInt(schema.parameters().get("scale"));
                    return new BigDecimal(new BigInteger(1 + random.nextInt(90), random).subtract(BigInteger.valueOf(1000)), scale);
                case Date.LOGICAL_NAME:
                    return new java.util.Date(random.nextInt(40_000) * DAY);
                case Time.LOGICAL_NAME:
                    return new java.util.Date(random.nextInt((int) DAY));
                case Timestamp.LOGICAL_NAME:
                    return new java.util.Date(time());
                default:
            }
        }
        return switch (schema.type()) {
            case INT8 -> (byte) random.nextInt();
            case INT16 -> (short) random.nextInt();
            case INT32 -> chance(2) ? random.nextInt() : random.nextInt(200);
            case INT64 -> chance(2) ? random.nextLong() : time();
            case FLOAT32 -> (float) (random.nextGaussian() * Math.pow(10, random.nextInt(16) - 6));
            case FLOAT64 -> random.nextGaussian() * Math.pow(10, random.nextInt(24) - 8);
            case BOOLEAN -> random.nextBoolean();
            case STRING -> text();
            case BYTES -> new byte[] {1, 2, (byte) 200};
            case ARRAY -> new ArrayList<>(List.of("x", "y\""));
            case MAP -> new LinkedHashMap<>(Map.of("k", 1));
            case STRUCT -> {
                Struct struct = new Struct(schema instanceof SchemaBuilder builder ? builder.build() : schema);
                for (Field field : schema.fields()) struct.put(field, value(field.schema(), depth == 9 ? 9 : depth + 1));
                yield struct;
            }
        };
    }

    // ---- running

    static void vector(String name, Map<String, String> config, boolean key, LinkedHashSet<String> written) throws Exception {
        In in = input();
        ObjectNode line = JSON.createObjectNode();
        line.put("t", name);
        ObjectNode settings = line.putObject("c");
        config.forEach(settings::put);
        line.put("s", in.schemas);
        boolean routing = name.contains("Router") || name.contains("Header") || name.startsWith("predicates") || name.equals("Filter");
        boolean headers = name.contains("Header");
        // What a transform does not look at is left out, to keep the file small.
        String keyText = key ? in.key : name.equals("ValueToKey") ? "\"old\"" : null;
        if (in.schemas && name.equals("ValueToKey")) keyText = null;
        String valueText = key || (routing && !name.startsWith("HeaderFrom")) ? null : in.value;
        if (name.equals("predicates.RecordIsTombstone") && !in.schemas) valueText = chance(2) ? null : "1";
        if (keyText != null) line.putRawValue("k", new RawValue(keyText));
        if (valueText != null) line.putRawValue("v", new RawValue(valueText));
        if (headers) line.set("h", list(in.headers));
        line.put("topic", in.topic);
        if (in.timestamp != null) line.put("ts", in.timestamp);
        run(name, config, new In(in.topic, keyText, valueText, headers ? in.headers : List.of(), in.timestamp, in.schemas), line);
        written.add(JSON.writeValueAsString(line));
    }

    // ---- Debezium's events

    static final String UNWRAP = "ExtractNewRecordState";

    static Map<String, String> unwrapping() {
        var c = new TreeMap<String, String>();
        if (!chance(5)) c.put("delete.tombstone.handling.mode", one("drop", "tombstone", "rewrite", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"));
        if (chance(2)) c.put("add.fields", references());
        if (chance(4)) c.put("add.fields.prefix", one("", "x-", "__"));
        if (chance(3)) c.put("add.headers", references());
        if (chance(6)) c.put("add.headers.prefix", one("", "h-"));
        if (chance(5)) c.put("route.by.field", one("to", "to", "id", "missing"));
        if (chance(2)) {
            c.put("drop.fields.header.name", "drop");
            if (chance(2)) c.put("drop.fields.from.key", one("true", "false"));
            if (chance(2)) c.put("drop.fields.keep.schema.compatible", one("true", "false"));
        }
        if (chance(3)) c.put("replace.null.with.default", "false");
        return c;
    }

    static String references() {
        var names = new LinkedHashSet<String>();
        for (int i = random.nextInt(4); i >= 0; i--) {
            names.add(one("op", "ts_ms", "table", "source.ts_ms", "source.table:T", "total_order", "transaction.id", "lsn", "op:name",
                    " missing", "source.missing", "source", "ts_ms:é", "id"));
        }
        return String.join(",", names);
    }

    static Schema row(boolean more) {
        SchemaBuilder row = SchemaBuilder.struct().name("s.Value").optional();
        row.field("id", Schema.INT32_SCHEMA).field("name", Schema.OPTIONAL_STRING_SCHEMA);
        row.field("to", chance(3) ? SchemaBuilder.string().defaultValue("there").build() : Schema.OPTIONAL_STRING_SCHEMA);
        if (more) row.field("n", SchemaBuilder.float64().optional().defaultValue(2.5).build());
        if (chance(3)) row.field("in", SchemaBuilder.struct().optional().field("x", Schema.OPTIONAL_INT64_SCHEMA).build());
        return row.build();
    }

    static Struct row(Schema schema) {
        Struct row = new Struct(schema).put("id", random.nextInt(100));
        if (chance(2)) row.put("name", one("", "x", "é\"\\"));
        if (schema.field("to").schema().isOptional()) row.put("to", one("users", " ", null, "a.b"));
        else row.put("to", one("users", "a"));
        if (schema.field("n") != null && chance(2)) row.put("n", random.nextInt(64) / 8.0);
        if (schema.field("in") != null && chance(2)) row.put("in", new Struct(schema.field("in").schema()).put("x", chance(2) ? null : 7L));
        return row;
    }

    static Struct event() {
        Schema row = row(chance(2));
        SchemaBuilder source = SchemaBuilder.struct().name("src").field("table", SchemaBuilder.string().defaultValue("t").build())
                .field("ts_ms", Schema.OPTIONAL_INT64_SCHEMA);
        if (chance(2)) source.field("lsn", Schema.OPTIONAL_INT64_SCHEMA);
        Schema transaction = SchemaBuilder.struct().optional().field("id", Schema.STRING_SCHEMA).field("total_order", Schema.INT64_SCHEMA)
                .field("data_collection_order", Schema.INT64_SCHEMA).build();
        SchemaBuilder envelope = SchemaBuilder.struct().name(chance(15) ? "s.Heartbeat" : "s.Envelope");
        envelope.field("before", row).field("after", row).field("source", source.build()).field("op", Schema.STRING_SCHEMA)
                .field("ts_ms", Schema.OPTIONAL_INT64_SCHEMA);
        if (!chance(3)) envelope.field("transaction", transaction);
        Schema schema = envelope.build();
        Struct from = new Struct(schema.field("source").schema()).put("table", one("users", "t2"));
        if (chance(2)) from.put("ts_ms", time());
        if (from.schema().field("lsn") != null && chance(2)) from.put("lsn", random.nextLong());
        Struct event = new Struct(schema).put("source", from);
        String op = one("c", "u", "d", "d", "r", "t");
        event.put("op", op);
        if (chance(2)) event.put("ts_ms", time());
        if (op.equals("u") || op.equals("d")) event.put("before", chance(8) ? null : row(row));
        if (!op.equals("d") && !op.equals("t")) event.put("after", row(row));
        if (schema.field("transaction") != null && chance(2)) {
            event.put("transaction", new Struct(transaction).put("id", "tx").put("total_order", 3L).put("data_collection_order", 1L));
        }
        return event;
    }

    static String unwrapKey() {
        if (chance(8)) return null;
        if (chance(8)) return json(Schema.STRING_SCHEMA, "k");
        Schema schema = SchemaBuilder.struct().name("s.Key").field("id", Schema.INT32_SCHEMA).field("name", Schema.OPTIONAL_STRING_SCHEMA).build();
        return json(schema, new Struct(schema).put("id", random.nextInt(100)).put("name", one("n", null)));
    }

    static String json(Schema schema, Object value) {
        return new String(CONVERTERS.get(true).fromConnectData("t", schema, value), StandardCharsets.UTF_8);
    }

    static void unwrap(LinkedHashSet<String> written) throws Exception {
        boolean schemas = !chance(25);
        String value = null;
        if (!chance(12)) {
            Struct event = event();
            value = schemas ? json(event.schema(), event)
                    : new String(CONVERTERS.get(false).fromConnectData("t", event.schema(), event), StandardCharsets.UTF_8);
        }
        var headers = new ArrayList<String[]>();
        if (chance(3)) headers.add(new String[] {"h1", "1"});
        if (chance(2)) {
            headers.add(new String[] {"drop", one("[\"id\",\"name\"]", "[\"n\"]", "[]", null, "[\"__op\",\"name\"]", "[\"__deleted\",\"in\",\"to\"]", "name")});
        }
        var config = unwrapping();
        In in = new In("logs", schemas ? unwrapKey() : null, value, headers, 5L, schemas);
        ObjectNode line = JSON.createObjectNode();
        line.put("t", UNWRAP);
        ObjectNode settings = line.putObject("c");
        config.forEach(settings::put);
        line.put("s", schemas);
        if (in.key != null) line.putRawValue("k", new RawValue(in.key));
        if (value != null) line.putRawValue("v", new RawValue(value));
        line.set("h", list(headers));
        line.put("topic", in.topic);
        line.put("ts", in.timestamp);
        run(UNWRAP, config, in, line);
        written.add(JSON.writeValueAsString(line));
    }

    @SuppressWarnings("unchecked")
    static void run(String name, Map<String, String> config, In in, ObjectNode line) throws Exception {
        String type = name.equals(UNWRAP) ? "io.debezium.transforms." + name : PACKAGE + name;
        Object plugin = Class.forName(type).getDeclaredConstructor().newInstance();
        try {
            var full = new TreeMap<String, Object>(config);
            if (plugin instanceof Transformation<?> transformation) transformation.configure(full);
            else ((Predicate<SinkRecord>) plugin).configure(full);
        } catch (Exception e) {
            error(line, "config", e);
            return;
        }
        var converter = CONVERTERS.get(in.schemas);
        var key = converter.toConnectData("t", bytes(in.key));
        var value = converter.toConnectData("t", bytes(in.value));
        var headers = new ConnectHeaders();
        for (String[] header : in.headers) {
            // Only Debezium's looks into headers.
            if (name.equals(UNWRAP)) headers.add(header[0], new SimpleHeaderConverter().toConnectHeader("t", header[0], bytes(header[1])));
            else headers.add(header[0], header[1], Schema.OPTIONAL_STRING_SCHEMA);
        }
        var record = new SinkRecord(in.topic, 3, key.schema(), key.value(), value.schema(), value.value(), 42, in.timestamp,
                in.timestamp == null ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, headers);
        if (plugin instanceof Predicate<?> predicate) {
            line.put("test", ((Predicate<SinkRecord>) predicate).test(record));
            return;
        }
        SinkRecord result;
        try {
            result = ((Transformation<SinkRecord>) plugin).apply(record);
        } catch (Exception e) {
            error(line, "apply", e);
            return;
        }
        if (result == null) {
            line.put("dropped", true);
            return;
        }
        ObjectNode out = JSON.createObjectNode();
        try {
            byte[] resultKey = converter.fromConnectData("t", result.keySchema(), result.key());
            byte[] resultValue = converter.fromConnectData("t", result.valueSchema(), result.value());
            if (resultKey != null) out.putRawValue("k", new RawValue(new String(resultKey, StandardCharsets.UTF_8)));
            if (resultValue != null) out.putRawValue("v", new RawValue(new String(resultValue, StandardCharsets.UTF_8)));
        } catch (Exception e) {
            error(line, "convert", e);
            return;
        }
        if (!result.topic().equals(in.topic)) out.put("topic", result.topic());
        var texts = new ArrayList<String[]>();
        var simple = new SimpleHeaderConverter();
        for (Header header : result.headers()) {
            byte[] text = simple.fromConnectHeader("t", header.key(), header.schema(), header.value());
            texts.add(new String[] {header.key(), text == null ? null : new String(text, StandardCharsets.UTF_8)});
        }
        if (!texts.isEmpty()) out.set("h", list(texts));
        line.set("out", out);
    }

    static void error(ObjectNode line, String stage, Exception e) {
        ObjectNode error = line.putObject("err");
        error.put("at", stage);
        error.put("class", e.getClass().getSimpleName());
        // Without the address of an object, which differs from run to run.
        String message = String.valueOf(e.getMessage()).replaceAll("@[0-9a-f]{5,8}$", "");
        error.put("msg", message.length() > 160 ? message.substring(0, 160) : message);
    }

    static byte[] bytes(String text) {
        return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
    }

    static ArrayNode list(List<String[]> headers) {
        ArrayNode list = JSON.createArrayNode();
        for (String[] header : headers) list.addArray().add(header[0]).add(header[1]);
        return list;
    }
}
