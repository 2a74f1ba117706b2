"""What tests may use. Empty so far; importing it costs nothing."""
