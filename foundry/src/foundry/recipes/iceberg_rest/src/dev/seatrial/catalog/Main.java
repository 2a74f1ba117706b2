package dev.seatrial.catalog;

import jakarta.servlet.http.HttpServlet;
import org.eclipse.jetty.server.CustomRequestLog;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.server.Slf4jRequestLogWriter;
import org.eclipse.jetty.server.handler.StatisticsHandler;
import org.eclipse.jetty.servlet.ServletContextHandler;
import org.eclipse.jetty.servlet.ServletHolder;
import org.eclipse.jetty.util.thread.QueuedThreadPool;

/**
 * Apache Iceberg's REST catalog (the servlet of its own test suite over its JDBC catalog) as a server with the paths of
 * production catalogs: the API below {@code /api/catalog}, health on a separate port.
 *
 * <p>It exits with 1 if a setting is invalid or a port is in use, and with 143 after SIGTERM, once running requests
 * are answered. If the database is unavailable, the server keeps running and is not ready.
 */
public final class Main {

  private static final int THREADS = 32;
  private static final long STOP_WITHIN_MILLIS = 5_000;

  private Main() {}

  public static void main(String[] arguments) {
    try {
      start(Settings.of(System.getenv()));
    } catch (Exception error) {
      System.err.println("the catalog failed to start: " + error.getMessage());
      System.exit(1);
    }
  }

  static void start(Settings settings) throws Exception {
    Backend backend = new Backend(settings);
    backend.open();
    serve(settings.healthPort(), "/", new HealthServlet(backend), false);
    serve(settings.port(), CatalogServlet.ROOT, new CatalogServlet(backend, settings.name()), true);
  }

  private static void serve(int port, String root, HttpServlet servlet, boolean log) throws Exception {
    QueuedThreadPool threads = new QueuedThreadPool(THREADS, 4);
    threads.setName(root);
    Server server = new Server(threads);
    ServerConnector connector = new ServerConnector(server, 1, 1);
    connector.setPort(port);
    server.addConnector(connector);
    ServletContextHandler context = new ServletContextHandler(null, root, ServletContextHandler.NO_SESSIONS);
    context.addServlet(new ServletHolder(servlet), "/*");
    // Wait for running requests before the server stops.
    StatisticsHandler graceful = new StatisticsHandler();
    graceful.setHandler(context);
    server.setHandler(graceful);
    if (log) {
      server.setRequestLog(new CustomRequestLog(new Slf4jRequestLogWriter(), "%{client}a %m %U %s %{ms}T ms"));
    }
    server.setStopTimeout(STOP_WITHIN_MILLIS);
    server.setStopAtShutdown(true);
    server.start();
  }
}
