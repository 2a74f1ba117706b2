package org.apache.iceberg.rest; // RESTCatalogAdapter.Route is only accessible in this package

import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.exceptions.CommitStateUnknownException;
import org.apache.iceberg.exceptions.NoSuchTableException;
import org.apache.iceberg.exceptions.ServiceFailureException;
import org.apache.iceberg.rest.responses.ConfigResponse;
import org.apache.iceberg.rest.responses.LoadTableResponse;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Iceberg's adapter from REST to a catalog, with two additions of catalog servers: clients get the prefix of their
 * catalog's paths, and, if enabled, loaded tables contain credentials for their files.
 */
public final class FrontAdapter extends RESTCatalogAdapter {

  private static final Logger LOG = LoggerFactory.getLogger(FrontAdapter.class);
  private static final Pattern PREFIX = Pattern.compile("[A-Za-z0-9_-][A-Za-z0-9_.-]*");
  private static final Pattern FILE_ACCESS = Pattern.compile("s3\\..+|client\\.region");

  private final Map<String, String> fileAccess = new TreeMap<>();

  /**
   * @param catalog the catalog
   * @param properties the catalog's properties
   * @param includeCredentials whether clients get {@code s3.*} and {@code client.region} of the properties, or the
   *     environment's AWS credentials, with each table, as in Iceberg's fixture with {@code include-credentials}
   */
  public FrontAdapter(Catalog catalog, Map<String, String> properties, boolean includeCredentials) {
    super(catalog);
    if (includeCredentials) {
      fromEnvironment("s3.access-key-id", "AWS_ACCESS_KEY_ID");
      fromEnvironment("s3.secret-access-key", "AWS_SECRET_ACCESS_KEY");
      fromEnvironment("s3.session-token", "AWS_SESSION_TOKEN");
      fromEnvironment("client.region", "AWS_REGION");
      properties.forEach((key, value) -> {
        if (FILE_ACCESS.matcher(key).matches()) {
          fileAccess.put(key, value);
        }
      });
    }
  }

  private void fromEnvironment(String property, String variable) {
    String value = System.getenv(variable);
    if (value != null && !value.isEmpty()) {
      fileAccess.put(property, value);
    }
  }

  /** Whether the client caused the error. RESTCatalogServlet would log a stack trace of each of them. */
  private static boolean isClientError(RuntimeException error) {
    return error.getClass().getPackage().equals(NoSuchTableException.class.getPackage())
        ? !(error instanceof ServiceFailureException || error instanceof CommitStateUnknownException)
        : error instanceof IllegalArgumentException || error instanceof UnsupportedOperationException;
  }

  @Override
  public <T extends RESTResponse> T handleRequest(
      Route route, Map<String, String> vars, Object body, Class<T> responseType) {
    T answer;
    try {
      answer = super.handleRequest(route, vars, body, responseType);
    } catch (RuntimeException error) {
      if (!isClientError(error)) {
        LOG.error("{} failed", route, error);
      }
      throw error;
    }
    if (answer instanceof ConfigResponse config) {
      String warehouse = vars.getOrDefault("warehouse", "");
      if (PREFIX.matcher(warehouse).matches()) {
        return responseType.cast(ConfigResponse.builder()
            .withDefaults(config.defaults())
            .withOverrides(config.overrides())
            .withOverride("prefix", warehouse)
            .withEndpoints(config.endpoints())
            .build());
      }
    }
    if (answer instanceof LoadTableResponse table && !fileAccess.isEmpty()) {
      return responseType.cast(LoadTableResponse.builder()
          .withTableMetadata(table.tableMetadata())
          .addAllConfig(table.config())
          .addAllConfig(fileAccess)
          .build());
    }
    return answer;
  }
}
