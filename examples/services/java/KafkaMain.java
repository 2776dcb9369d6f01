/** Formats the data directory when it is new, then runs a broker. Arguments: cluster id, server.properties. */
public final class KafkaMain {
    private KafkaMain() {}

    public static void main(String[] args) {
        Tether.hold();
        String[] format = {"format", "--ignore-formatted", "-t", args[0], "-c", args[1]};
        int code = kafka.tools.StorageTool.execute(format, System.out);
        if (code != 0) {
            System.exit(code);
        }
        kafka.Kafka.main(new String[] {args[1]});
    }
}
