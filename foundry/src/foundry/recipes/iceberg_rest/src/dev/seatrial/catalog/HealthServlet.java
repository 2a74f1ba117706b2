package dev.seatrial.catalog;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** MicroProfile Health endpoints: {@code live} if the server runs, {@code ready} if its store answers. */
final class HealthServlet extends HttpServlet {

  private final transient Backend backend;

  HealthServlet(Backend backend) {
    this.backend = backend;
  }

  @Override
  protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
    switch (request.getRequestURI()) {
      case "/q/health/live" -> Answers.json(response, 200, Map.of("status", "UP", "checks", List.of()));
      case "/q/health", "/q/health/ready" -> {
        String problem = backend.check();
        String status = problem.isEmpty() ? "UP" : "DOWN";
        Map<String, ?> check = problem.isEmpty()
            ? Map.of("name", "catalog store", "status", status)
            : Map.of("name", "catalog store", "status", status, "data", Map.of("problem", problem));
        Answers.json(response, problem.isEmpty() ? 200 : 503, Map.of("status", status, "checks", List.of(check)));
      }
      default -> Answers.error(response, 404, "NotFoundException", "not found; use /q/health, /q/health/live or /q/health/ready");
    }
  }
}
