package dev.seatrial.catalog;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.iceberg.CatalogProperties;
import org.apache.iceberg.jdbc.JdbcCatalog;

/**
 * The settings from the environment.
 *
 * @param catalog the catalog's properties, including secrets
 * @param name the only catalog name that clients may use; empty: any name
 * @param port the port of the catalog
 * @param healthPort the port of the health endpoints
 * @param includeCredentials whether loaded tables contain credentials for their files
 */
record Settings(Map<String, String> catalog, String name, int port, int healthPort, boolean includeCredentials) {

  private static final String PREFIX = "CATALOG_";

  /**
   * Read {@code CATALOG_*} as Iceberg's own REST fixture does: {@code CATALOG_S3_PATH__STYLE__ACCESS} is the property
   * {@code s3.path-style-access}.
   *
   * @throws IllegalArgumentException with a message in one line
   */
  static Settings of(Map<String, String> environment) {
    Map<String, String> catalog = new TreeMap<>();
    environment.forEach((variable, value) -> {
      if (variable.startsWith(PREFIX)) {
        String property = variable.substring(PREFIX.length()).replace("__", "-").replace("_", ".");
        catalog.put(property.toLowerCase(Locale.ROOT), value);
      }
    });
    String name = catalog.getOrDefault("catalog.name", "");
    int port = port(catalog, "rest.port", 8181);
    int healthPort = port(catalog, "health.port", 8182);
    boolean includeCredentials = Boolean.parseBoolean(catalog.get("include-credentials"));
    catalog.putIfAbsent(CatalogProperties.CATALOG_IMPL, JdbcCatalog.class.getName());
    if (JdbcCatalog.class.getName().equals(catalog.get(CatalogProperties.CATALOG_IMPL))) {
      // Required for views.
      catalog.putIfAbsent("jdbc.schema-version", "V1");
      // Reconnect after a restart of PostgreSQL instead of failing a request.
      catalog.putIfAbsent("retryable_status_codes", "57P01,57P02,57P03");
      // Seconds, for a database that no longer answers.
      catalog.putIfAbsent("jdbc.connectTimeout", "5");
      catalog.putIfAbsent("jdbc.socketTimeout", "20");
      require(catalog, CatalogProperties.URI, "CATALOG_URI=jdbc:postgresql://host:5432/database");
    }
    require(catalog, CatalogProperties.WAREHOUSE_LOCATION, "CATALOG_WAREHOUSE=s3://bucket/");
    return new Settings(Map.copyOf(catalog), name, port, healthPort, includeCredentials);
  }

  private static int port(Map<String, String> catalog, String property, int otherwise) {
    String value = catalog.getOrDefault(property, Integer.toString(otherwise));
    try {
      return Integer.parseInt(value);
    } catch (NumberFormatException error) {
      throw new IllegalArgumentException(property + " is not a port number: " + value);
    }
  }

  private static void require(Map<String, String> catalog, String property, String example) {
    if (catalog.getOrDefault(property, "").isEmpty()) {
      throw new IllegalArgumentException("the catalog's " + property + " is not set; for example " + example);
    }
  }
}
