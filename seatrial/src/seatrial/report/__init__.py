"""Build the report of a run from its directory: `report.html`, Markdown for a pull request, a brief for an agent."""
