import java.io.IOException;

/**
 * Ties this process to the one that started it. The starter holds the other end of standard input; when it goes,
 * even by SIGKILL, the pipe closes and this process halts. Without it, killed tests would leave servers behind.
 */
final class Tether {
    private Tether() {}

    /** Does nothing unless -Dservices.tied=true. -Dservices.remove=DIR is removed after the end. */
    static void hold() {
        if (!Boolean.getBoolean("services.tied")) {
            return;
        }
        Thread thread = new Thread(Tether::waitForEnd, "services-tether");
        thread.setDaemon(true);
        thread.start();
    }

    private static void waitForEnd() {
        try {
            while (System.in.read() >= 0) {
                // Nothing is ever written: only the end of the stream matters.
            }
        } catch (IOException closed) {
            // The same as the end of the stream.
        }
        String remove = System.getProperty("services.remove");
        if (remove != null) {
            try {
                // A process of its own, because files can only be removed for good once this one is gone.
                new ProcessBuilder("sh", "-c", "sleep 1; rm -rf -- \"$0\"", remove).start();
            } catch (IOException e) {
                System.err.println("cannot remove " + remove + ": " + e);
            }
        }
        Runtime.getRuntime().halt(143);
    }
}
