import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Runs one node of Elasticsearch 8 or newer without its distribution. Arguments: settings as key=value. Modules are in the
 * directory of that name beside this class's jar.
 */
public final class ModularElasticsearchMain {
    private ModularElasticsearchMain() {}

    public static void main(String[] args) throws Exception {
        Tether.hold();
        LogConfigurator.configureESLogging();
        Settings.Builder settings = Settings.builder();
        for (String arg : args) {
            int equals = arg.indexOf('=');
            settings.put(arg.substring(0, equals), arg.substring(equals + 1));
        }
        Environment environment =
                InternalSettingsPreparer.prepareEnvironment(settings.build(), Map.of(), null, () -> "node");
        Path jar = Paths.get(ModularElasticsearchMain.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        PluginsLoader loader = PluginsLoader.createPluginsLoader(
                PluginsLoader.loadModulesBundles(jar.resolveSibling("modules")),
                PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
                Map.of(),
                false);
        Node node = new Node(environment, loader);
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
}
