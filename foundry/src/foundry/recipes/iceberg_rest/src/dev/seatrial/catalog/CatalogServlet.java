package dev.seatrial.catalog;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Set;

/**
 * Iceberg's REST API below {@code /api/catalog}, as in production catalogs, in both forms of the specification:
 * {@code v1/namespaces} and {@code v1/<catalog>/namespaces}.
 */
final class CatalogServlet extends HttpServlet {

  static final String ROOT = "/api/catalog";
  private static final Set<String> RESOURCES =
      Set.of("config", "oauth", "namespaces", "tables", "views", "transactions");

  private final transient Backend backend;
  private final String name;

  CatalogServlet(Backend backend, String name) {
    this.backend = backend;
    this.name = name;
  }

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response)
      throws ServletException, IOException {
    HttpServlet catalog = backend.servlet();
    if (catalog == null) {
      Answers.error(response, 503, "ServiceUnavailableException", backend.problem());
      return;
    }
    String[] parts = request.getRequestURI().substring(ROOT.length()).split("/", 4); // "", v1, first, rest
    String asked = "";
    if (parts.length == 4 && parts[1].equals("v1") && !RESOURCES.contains(parts[2])) {
      asked = URLDecoder.decode(parts[2], StandardCharsets.UTF_8);
      parts[2] = null;
    } else if (parts.length == 3 && parts[2].equals("config") && request.getParameter("warehouse") != null) {
      asked = request.getParameter("warehouse");
    }
    if (!name.isEmpty() && !asked.isEmpty() && !asked.equals(name)) {
      Answers.error(response, 404, "NotFoundException", "Unable to find warehouse " + asked);
      return;
    }
    StringBuilder path = new StringBuilder();
    for (int part = 1; part < parts.length; part++) {
      if (parts[part] != null) {
        path.append('/').append(parts[part]);
      }
    }
    catalog.service(at(request, path.isEmpty() ? "/" : path.toString()), response);
  }

  private static HttpServletRequest at(HttpServletRequest request, String path) {
    return new HttpServletRequestWrapper(request) {
      @Override
      public String getRequestURI() {
        return path;
      }
    };
  }
}
