package dev.seatrial.catalog;

import com.fasterxml.jackson.databind.ObjectMapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.Map;

/** Write JSON answers other than Iceberg's. */
final class Answers {

  private static final ObjectMapper JSON = new ObjectMapper();

  private Answers() {}

  static void json(HttpServletResponse response, int status, Map<String, ?> body) throws IOException {
    response.setStatus(status);
    response.setContentType("application/json");
    JSON.writeValue(response.getOutputStream(), body);
  }

  /** Write an error in the format of Iceberg's REST specification. */
  static void error(HttpServletResponse response, int status, String type, String message) throws IOException {
    json(response, status, Map.of("error", Map.of("code", status, "type", type, "message", message)));
  }
}
