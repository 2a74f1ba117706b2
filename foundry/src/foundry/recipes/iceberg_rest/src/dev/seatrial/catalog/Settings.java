package dev.seatrial.catalog;

import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.iceberg.CatalogProperties;
import org.apache.iceberg.jdbc.JdbcCatalog;

/**
 * What the environment says.
 *
 * @param catalog the catalog's properties, secrets included
 * @param name the only catalog that clients may ask for; empty: any name is this one
 * @param port where the catalog answers
 * @param healthPort where health answers
 * @param includeCredentials whether loaded tables come with what reaches their files
 */
record Settings(Map<String, String> catalog, String name, int port, int healthPort, boolean includeCredentials) {

  private static final String PREFIX = "CATALOG_";

  /**
   * Read {@code CATALOG_*} as Iceberg's own REST fixture does: {@code CATALOG_S3_PATH__STYLE__ACCESS} is the property
   * {@code s3.path-style-access}.
   *
   * @throws IllegalArgumentException with one line for people
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
      // Without it there are no views.
      catalog.putIfAbsent("jdbc.schema-version", "V1");
      // PostgreSQL ended the connection because it was restarted: connect anew instead of failing a request.
      catalog.putIfAbsent("retryable_status_codes", "57P01,57P02,57P03");
      // A database that went away without a word; seconds.
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
      throw new IllegalArgumentException(property + " is no port number: " + value);
    }
  }

  private static void require(Map<String, String> catalog, String property, String example) {
    if (catalog.getOrDefault(property, "").isEmpty()) {
      throw new IllegalArgumentException("the catalog's " + property + " is not set; for example " + example);
    }
  }
}
