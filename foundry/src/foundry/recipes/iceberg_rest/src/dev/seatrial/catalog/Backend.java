package dev.seatrial.catalog;

import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.SupportsNamespaces;
import org.apache.iceberg.rest.FrontAdapter;
import org.apache.iceberg.rest.RESTCatalogServlet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The catalog behind the HTTP server. A background thread opens it, and waits for its database without a timeout. */
final class Backend {

  private static final Logger LOG = LoggerFactory.getLogger(Backend.class);
  private static final Duration BETWEEN_ATTEMPTS = Duration.ofMillis(250);
  private static final Duration QUERY_TIMEOUT = Duration.ofSeconds(4);
  private static final Namespace ANY = Namespace.of("readiness-probe");

  private final Settings settings;
  private final ExecutorService prober = Executors.newSingleThreadExecutor(task -> daemon(task, "readiness"));
  private volatile Catalog catalog;
  private volatile RESTCatalogServlet servlet;
  private volatile String problem = "the catalog is being opened";
  private Future<Boolean> query;

  Backend(Settings settings) {
    this.settings = settings;
  }

  /** Start to open the catalog; returns immediately. */
  void open() {
    daemon(this::keepTrying, "open").start();
  }

  /** The servlet of the catalog's API; null until the catalog is open. */
  RESTCatalogServlet servlet() {
    return servlet;
  }

  /** The reason why {@link #servlet} is null. */
  String problem() {
    return problem;
  }

  /** Query the catalog's store. Returns an empty string if it answers, else the problem. */
  synchronized String check() {
    if (catalog == null) {
      return problem;
    }
    if (query == null || query.isDone()) {
      query = prober.submit(() -> ((SupportsNamespaces) catalog).namespaceExists(ANY));
    }
    try {
      query.get(QUERY_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
      return "";
    } catch (TimeoutException error) {
      return "no answer of the catalog's store within " + QUERY_TIMEOUT.toSeconds() + " s";
    } catch (ExecutionException error) {
      return messageOf(error.getCause());
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
      return "interrupted";
    }
  }

  private void keepTrying() {
    while (catalog == null) {
      try {
        String name = settings.name().isEmpty() ? "catalog" : settings.name();
        Catalog opened = CatalogUtil.buildIcebergCatalog(name, settings.catalog(), null);
        servlet = new RESTCatalogServlet(new FrontAdapter(opened, settings.catalog(), settings.includeCredentials()));
        catalog = opened;
        LOG.info("catalog {} is open, its warehouse at {}", name, settings.catalog().get("warehouse"));
      } catch (Exception error) {
        String reason = messageOf(error);
        if (!reason.equals(problem)) {
          LOG.warn("failed to open the catalog, retrying: {}", reason);
        }
        problem = reason;
        pause();
      }
    }
  }

  private static void pause() {
    try {
      Thread.sleep(BETWEEN_ATTEMPTS);
    } catch (InterruptedException error) {
      Thread.currentThread().interrupt();
    }
  }

  /** The message of the innermost cause, which is the most specific one. */
  private static String messageOf(Throwable error) {
    Throwable cause = error;
    while (cause.getCause() != null && cause.getCause() != cause) {
      cause = cause.getCause();
    }
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }

  private static Thread daemon(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }
}
