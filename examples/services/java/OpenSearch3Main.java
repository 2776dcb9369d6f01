import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;

/** Runs one node of OpenSearch 3 without its distribution. Arguments: settings as key=value. */
public final class OpenSearch3Main {
    private OpenSearch3Main() {}

    public static void main(String[] args) throws Exception {
        Tether.hold();
        Settings.Builder settings = Settings.builder();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            settings.put(arg.substring(0, equals), arg.substring(equals + 1));
        }
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "node");
        OneNode node = new OneNode(environment);
        CountDownLatch closed = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
                node.awaitClose(10, TimeUnit.SECONDS);
            } catch (Exception e) {
                e.printStackTrace();
            }
            closed.countDown();
        }));
        try {
            node.start();
        } catch (Throwable e) {
            // The node's threads are no daemons: without an exit here the process would stay, doing nothing.
            e.printStackTrace();
            System.exit(1);
        }
        closed.await();
    }

    private static final class OneNode extends Node {
        private static final PluginInfo NETTY = new PluginInfo(
                "transport-netty4",
                "HTTP transport",
                "1",
                Version.CURRENT,
                "21",
                "org.opensearch.transport.Netty4ModulePlugin",
                "",
                List.of(),
                false);

        OneNode(Environment environment) {
            super(environment, List.of(NETTY), false);
        }
    }
}
