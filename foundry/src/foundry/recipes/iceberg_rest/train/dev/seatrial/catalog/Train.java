package dev.seatrial.catalog;

import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.iceberg.aws.s3.S3FileIO;
import org.apache.iceberg.inmemory.InMemoryCatalog;
import org.apache.iceberg.jdbc.JdbcCatalog;

/**
 * Runs all operations of a catalog once, without a database or an object store, so that the JVM records the classes
 * that it loads (see the Dockerfile). It is also a test: it exits with 1 if the server with an in-memory catalog does
 * not answer as expected.
 */
public final class Train {

  private static final String SCHEMA =
      "{\"type\":\"struct\",\"schema-id\":0,\"fields\":[{\"id\":1,\"name\":\"x\",\"required\":false,\"type\":\"long\"}]}";

  public static void main(String[] arguments) throws Exception {
    attempt("the JDBC catalog", () -> {
      try (JdbcCatalog catalog = new JdbcCatalog()) {
        catalog.initialize("train", Map.of("uri", "jdbc:postgresql://127.0.0.1:9/x", "warehouse", "s3://x/"));
      }
    });
    attempt("S3", () -> {
      try (S3FileIO files = new S3FileIO()) {
        files.initialize(Map.of(
            "s3.endpoint", "http://127.0.0.1:9", "client.region", "us-east-1", "s3.path-style-access", "true",
            "s3.access-key-id", "x", "s3.secret-access-key", "x", "s3.retry.num-retries", "0"));
        files.newInputFile("s3://x/y").exists();
        files.newOutputFile("s3://x/y").createOrOverwrite().close();
      }
    });
    int port = freePort();
    int healthPort = freePort();
    Main.start(Settings.of(Map.of(
        "CATALOG_CATALOG__IMPL", InMemoryCatalog.class.getName(),
        "CATALOG_WAREHOUSE", "memory:///warehouse",
        "CATALOG_REST_PORT", Integer.toString(port),
        "CATALOG_HEALTH_PORT", Integer.toString(healthPort))));
    String health = "http://127.0.0.1:" + healthPort + "/q/health";
    until(health + "/ready");
    expect("status\":\"UP", "GET", health + "/live", null);
    String api = "http://127.0.0.1:" + port + "/api/catalog/v1";
    expect("\"prefix\":\"x\"", "GET", api + "/config?warehouse=x", null);
    expect("access_token", "POST", api + "/oauth/tokens", "grant_type=client_credentials&client_id=x&client_secret=y");
    expect("\"a\"", "POST", api + "/x/namespaces", "{\"namespace\":[\"a\"]}");
    expect("[\"a\"]", "GET", api + "/namespaces", null);
    expect("format-version", "POST", api + "/x/namespaces/a/tables", "{\"name\":\"t\",\"schema\":" + SCHEMA + "}");
    expect("current-schema-id", "GET", api + "/x/namespaces/a/tables/t", null);
    expect("\"t\"", "GET", api + "/x/namespaces/a/tables", null);
    expect("metadata", "POST", api + "/x/namespaces/a/tables/t",
        "{\"requirements\":[],\"updates\":[{\"action\":\"set-properties\",\"updates\":{\"k\":\"v\"}}]}");
    expect("404", "GET", api + "/x/namespaces/b/tables/t", null);
    System.exit(0);
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }

  private interface Step {
    void run() throws Exception;
  }

  private static void attempt(String what, Step step) {
    try {
      step.run();
      throw new AssertionError(what + " succeeded unexpectedly");
    } catch (Exception error) {
      System.out.println(what + " was executed");
    }
  }

  private static void until(String url) throws Exception {
    for (int attempt = 0; attempt < 300; attempt++) {
      if (ask("GET", url, null).contains("UP")) {
        return;
      }
      Thread.sleep(100);
    }
    throw new AssertionError("not ready in 30 s");
  }

  private static void expect(String text, String method, String url, String body) throws IOException {
    String answer = ask(method, url, body);
    if (!answer.contains(text)) {
      throw new AssertionError(method + " " + url + " answered without " + text + ": " + answer);
    }
  }

  private static String ask(String method, String url, String body) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
    connection.setRequestMethod(method);
    if (body != null) {
      connection.setRequestProperty(
          "Content-Type", body.startsWith("{") ? "application/json" : "application/x-www-form-urlencoded");
      connection.setDoOutput(true);
      connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
    }
    int status = connection.getResponseCode();
    var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream();
    return status + " " + (stream == null ? "" : new String(stream.readAllBytes(), StandardCharsets.UTF_8));
  }
}
